"""Slow work within a transaction is an error: a hash, or whatever may go over a network.

On SQLite it would hold up every writer, on Postgres those who wait for the same row. The one place
where each kind of work begins is wrapped; the conftest does so for the whole run.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import has_app_context

from ragauth import transaction
from ragauth.counters import Counters, LmdbCounters
from ragauth.counters.failover import FailoverCounters
from ragauth.counters.redis_store import RedisCounters
from ragauth.models.reads.prepared import PreparedReads
from ragauth.services.accounts.hashing_gate import HashingGate
from ragauth.services.compat.query_upstream import QueryUpstream
from ragauth.services.mail.transport import MailFolder, SmtpServer

_COUNTERS = [name for name in vars(Counters) if not name.startswith("_") and name != "source_id"]
SLOW: dict[type, list[str]] = {
    HashingGate: ["run"],
    # A file where there is no Redis; the services do not know which.
    **dict.fromkeys((LmdbCounters, RedisCounters, FailoverCounters), _COUNTERS),
    # It has a connection of its own: requests that each hold a session and wait for a second one
    # would stop a pooler.
    PreparedReads: ["read"],
    SmtpServer: ["deliver"],
    MailFolder: ["deliver"],
    QueryUpstream: ["ask"],
}

# A request answers such an error with 500, a thread of the background only logs it.
found: list[str] = []


class SlowWorkInTransaction(AssertionError):
    """It belongs before the transaction's block, or after it."""


def refuse_slow_work() -> None:
    """Make it an error in this process from now on."""
    for owner, names in SLOW.items():
        for name in names:
            setattr(owner, name, _outside(getattr(owner, name), f"{owner.__name__}.{name}"))


def _outside(work: Callable[..., Any], name: str) -> Callable[..., Any]:
    @wraps(work)
    def checked(*arguments: Any, **keywords: Any) -> Any:
        if has_app_context() and transaction.is_open():
            found.append(name)
            raise SlowWorkInTransaction(f"{name} within a transaction")
        return work(*arguments, **keywords)

    return checked
