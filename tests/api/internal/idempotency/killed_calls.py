"""Kills processes within an idempotent call: python -m tests.….killed_calls URL FOLDER …

A process of one thread, since only such a one may fork safely. For each place a child makes one
call, and is killed there with SIGKILL. Prints the places, and how each child ended.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ragauth import transaction
from ragauth.models import idempotent_calls as call_rows
from ragauth.services import audit
from ragauth.web import idempotency
from tests.api.internal.idempotency.things import THINGS, add_things
from tests.applications import make_settings, make_testing_app
from tests.clients import Client


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(module: Any, name: str) -> None:
    """Be killed when this function is called."""
    setattr(module, name, lambda *_, **__: kill())


def after(module: Any, name: str) -> None:
    """Be killed when this function has returned."""
    function = getattr(module, name)

    def then_kill(*arguments: Any, **keywords: Any) -> None:
        function(*arguments, **keywords)
        kill()

    setattr(module, name, then_kill)


PLACES: dict[str, Callable[[], None]] = {
    "claimed": lambda: after(call_rows, "claim"),
    "made": lambda: after(audit, "record_key_event"),
    "kept": lambda: after(call_rows, "keep_answer"),
    "before-commit": lambda: before(transaction, "_commit"),
    "committed": lambda: after(transaction, "_commit"),
    "before-the-answer": lambda: before(idempotency, "Response"),
}
#: Where the call has been committed.
COMMITTED = {"committed", "before-the-answer"}


def main(database_url: str, folder: str, service_key: str, account_id: str) -> None:
    # It has no connection yet.
    app = add_things(make_testing_app(make_settings(Path(folder), database_url)))
    client = Client(app).as_key(service_key)
    for place, arm in PLACES.items():
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            try:
                arm()
                named = {"Idempotency-Key": place}
                client.post(f"{THINGS}/{account_id}/keys", {"name": place}, headers=named)
            finally:
                os._exit(4)
        _, status = os.waitpid(child, 0)
        end = "killed" if os.WIFSIGNALED(status) else "finished"
        sys.stdout.write(f"{place} {end}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
