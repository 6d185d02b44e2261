"""Refresh rotation against a model: any order of refreshes, logouts and clock steps (S13)."""

from dataclasses import dataclass, field

import time_machine
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.clients import Client, error, ok

NOON = "2026-03-01T12:00:00Z"
GRACE = 20
LIFETIME = 604_800
ACCESS_LIFETIME = 3600

which_session = st.integers(0, 1)


@dataclass
class Pair:
    """What was handed out for one generation, and when."""

    token: str
    refresh_token: str
    issued_at: int


@dataclass
class ModelSession:
    """The pairs by generation; only the newest is good, the one before for its grace."""

    pairs: list[Pair] = field(default_factory=list)
    is_ended: bool = False

    def answer(self, generation: int, now: int) -> str:
        """What refreshing with that generation's token must come to."""
        if now >= self.pairs[generation].issued_at + LIFETIME:
            return "expired"
        newest = len(self.pairs) - 1
        if generation == newest:
            return "revoked" if self.is_ended else "successor"
        in_grace = generation == newest - 1 and now - self.pairs[newest].issued_at <= GRACE
        if in_grace:
            return "revoked" if self.is_ended else "the same successor"
        return "reused"


class Rotation(RuleBasedStateMachine):
    """Two sessions of one account; whoever refreshes may hold any token ever handed out."""

    app: Flask

    def __init__(self) -> None:
        super().__init__()
        self.travel = time_machine.travel(NOON, tick=False)
        self.clock = self.travel.start()
        self.now = 0
        self.has_waited_long = False
        self.client = Client(self.app)
        self.sessions: list[ModelSession] = []

    def teardown(self) -> None:
        try:
            for session in self.sessions:
                self._check_what_lives(session)
        finally:
            self.travel.stop()

    @initialize()
    def two_logins(self) -> None:
        member = self.client.sign_up()
        again = self.client.log_in(member)
        for token, refresh_token in (
            (member.token, member.refresh_token),
            (again["token"], again["refresh_token"]),
        ):
            self.sessions.append(ModelSession([Pair(token, refresh_token, self.now)]))

    @rule(which=which_session, back=st.sampled_from((0, 0, 0, 1, 1, 2)))
    def refresh(self, which: int, back: int) -> None:
        """With the newest token, or one that is `back` generations older."""
        session = self.sessions[which]
        generation = max(0, len(session.pairs) - 1 - back)
        expected = session.answer(generation, self.now)
        presented = {"refresh_token": session.pairs[generation].refresh_token}
        response = self.client.post("/api/auth/token/refresh", presented)
        if expected == "successor":
            data = ok(response)
            pair = Pair(data["token"], data["refresh_token"], self.now)
            known = {old.refresh_token for any_ in self.sessions for old in any_.pairs}
            assert pair.refresh_token not in known
            session.pairs.append(pair)
        elif expected == "the same successor":
            data = ok(response)
            newest = session.pairs[-1]
            assert (data["token"], data["refresh_token"]) == (newest.token, newest.refresh_token)
        else:
            error(response, 401, "AUTHENTICATION_ERROR", expected)
            session.is_ended = session.is_ended or expected == "reused"

    @precondition(lambda self: any(len(session.pairs) > 2 for session in self.sessions))
    @rule(which=which_session, back=st.integers(0, 2), with_access=st.booleans())
    def log_out(self, which: int, back: int, with_access: bool) -> None:
        """With any token of the session, dead or alive."""
        session = self.sessions[which]
        pair = session.pairs[max(0, len(session.pairs) - 1 - back)]
        token = pair.token if with_access else pair.refresh_token
        ok(self.client.as_user(token).post("/api/auth/logout"), 204)
        session.is_ended = True

    @rule(seconds=st.sampled_from((1, GRACE, GRACE + 1, ACCESS_LIFETIME)))
    def wait(self, seconds: int) -> None:
        self.clock.shift(seconds)
        self.now += seconds

    @precondition(lambda self: not self.has_waited_long)
    @rule(short_by=st.integers(0, 1))
    def wait_a_refresh_tokens_life(self, short_by: int) -> None:
        self.has_waited_long = True
        self.wait(LIFETIME - short_by)

    @rule(which=which_session)
    def use_every_access_token(self, which: int) -> None:
        self._check_access(self.sessions[which])

    def _check_access(self, session: ModelSession) -> None:
        for pair in session.pairs:
            response = self.client.as_user(pair.token).get("/api/auth/me")
            if self.now >= pair.issued_at + ACCESS_LIFETIME:
                error(response, 401, "AUTHENTICATION_ERROR", "expired")
            elif session.is_ended:
                error(response, 401, "AUTHENTICATION_ERROR", "revoked")
            else:
                ok(response)

    def _check_what_lives(self, session: ModelSession) -> None:
        """Nothing after the end; else one successor, whoever asks for it, and however often."""
        self._check_access(session)
        successors = set()
        for pair in session.pairs[::-1][: 1 if not session.is_ended else None]:
            presented = {"refresh_token": pair.refresh_token}
            for _ in range(2):
                response = self.client.post("/api/auth/token/refresh", presented)
                if response.status_code == 200:
                    successors.add(ok(response)["refresh_token"])
        is_live = not session.is_ended and self.now < session.pairs[-1].issued_at + LIFETIME
        assert len(successors) == is_live


def test_no_order_of_events_yields_two_successors_or_a_token_that_outlives_reuse(
    app: Flask,
) -> None:
    """S13: refresh rotates; reuse ends the session, for good."""

    class OnThisDatabase(Rotation):
        pass

    OnThisDatabase.app = app
    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=6,
            stateful_step_count=18,
            deadline=None,
            derandomize=True,
            # A failure is short as it is; to make it shorter would take minutes.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
