"""The service with the tests' POST routes, whose worker dies when a request asks for it.

`X-Die: yes` kills it with SIGKILL when what the request made has been committed, and before it is
answered.
"""

import os
import signal

from flask import has_request_context, request

from ragauth import create_app, transaction
from tests.api.internal.idempotency.things import add_things

app = add_things(create_app())

_commit = transaction._commit


def _commit_and_die() -> None:
    _commit()
    if has_request_context() and request.headers.get("X-Die"):
        os.kill(os.getpid(), signal.SIGKILL)


transaction._commit = _commit_and_die
