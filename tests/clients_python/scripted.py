"""Steps of a call, answered by a script: no network and no waiting."""

import json
from collections.abc import Sequence
from typing import Any

from ragauth_client.exchange import Answer, NoAnswer, Outcome, Pause, Plan, Send, Settings

LOST = NoAnswer("ReadError", may_have_arrived=True)
NOT_SENT = NoAnswer("ConnectError", may_have_arrived=False)
SETTINGS = Settings(timeout=10, verify_timeout=2, on_unavailable="refuse", waits=(0.1, 0.5, 2.0))


def answer(status: int, body: Any = None, **headers: str) -> Answer:
    content = b"" if body is None else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): text for name, text in headers.items()}, content)


def failure(status: int, code: str, **details: Any) -> Answer:
    """An answer with ragauth's envelope of an error."""
    return answer(status, {"error": {"code": code, "message": "No", "details": details}})


class Script:
    """Answers what a plan sends with `outcomes`, in turn; keeps what was sent and how it waited."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self._outcomes = list(outcomes)
        self.sent: list[Send] = []
        self.pauses: list[float] = []

    def carry_out(self, plan: Plan[Any], settings: Settings = SETTINGS) -> Any:
        """The result; raises what the plan raises. All outcomes must be used up."""
        steps, outcome = plan.steps(settings), None
        try:
            while True:
                step = steps.send(outcome)
                if isinstance(step, Pause):
                    self.pauses.append(step.seconds)
                    outcome = None
                else:
                    self.sent.append(step)
                    outcome = self._outcomes.pop(0)
        except StopIteration as end:
            return end.value
        finally:
            assert self._outcomes == []
