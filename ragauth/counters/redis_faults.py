"""Why Redis refuses or fails, in words for an operator."""

import ssl

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    ConnectionError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
    TryAgainError,
)
from redis.sentinel import MasterNotFoundError

from ragauth.counters.interface import OUT_OF_REACH

REFUSES_THE_USER = "refuses the user or the password"
MAY_NOT = "the user may not do what is needed: see the ACL in docs/operations.md"
UNTRUSTED = "its certificate is not trusted, or it does not trust ours"
READ_ONLY = "is a read-only replica"
LOADING = "still loads its data"
FULL = "has no memory left for what is written"
DOES_NOT_SAVE = "takes no writes: it cannot save"
FEW_REPLICAS = "takes no writes: too few replicas follow it"
NO_PRIMARY = "the Sentinels know no primary of that name"
CLUSTER_DOWN = "the Cluster is down, or a slot has no owner"
MOVING = "the Cluster moves a slot"
OTHER_KIND = "is a node of a Cluster: the URL must say redis+cluster://"
REFUSES = "refuses what it is asked"

_CLASSES: tuple[tuple[type[RedisError], str], ...] = (
    (AuthenticationError, REFUSES_THE_USER),
    (NoPermissionError, MAY_NOT),
    (ReadOnlyError, READ_ONLY),
    (BusyLoadingError, LOADING),
    (OutOfMemoryError, FULL),
    (MasterNotFoundError, NO_PRIMARY),
    (ClusterDownError, CLUSTER_DOWN),
    (TryAgainError, MOVING),
    (ClusterCrossSlotError, OTHER_KIND),
    # MovedError is one too: the URL names a single server, which is in fact a node of a Cluster.
    (AskError, OTHER_KIND),
)
# Errors without a class in redis-py, and errors of a command within a script: Redis up to version 6
# puts the whole error into its text.
_WORDS = (
    ("can't run this command", MAY_NOT),
    ("can't access", MAY_NOT),
    ("NOPERM", MAY_NOT),
    ("ACL failure in script", MAY_NOT),
    ("READONLY", READ_ONLY),
    ("previous master is now a slave", READ_ONLY),
    ("MISCONF", DOES_NOT_SAVE),
    ("NOREPLICAS", FEW_REPLICAS),
    ("OOM ", FULL),
)


def state_of(error: RedisError) -> str:
    """Say what is wrong; `out of reach` if Redis did not answer."""
    for kind, state in _CLASSES:
        if isinstance(error, kind):
            return state
    text = str(error)
    for words, state in _WORDS:
        if words in text:
            return state
    if _is_of_tls(error):
        return UNTRUSTED
    return OUT_OF_REACH if isinstance(error, ConnectionError | TimeoutError) else REFUSES


def _is_of_tls(error: BaseException | None) -> bool:
    """Whether a TLS error is the cause: redis-py raises its own error from that one."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
