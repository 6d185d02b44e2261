"""All faults. To add one: a class with `begin` and `end`, and its place in FAULTS."""

import random
from collections.abc import Callable

from tests.soak.fault import Fault
from tests.soak.host_faults import (
    CountersHeld,
    DiskFull,
    HostRestarted,
    LogPipeFull,
    MailFrozen,
    MailGone,
    WorkerKilled,
    WorkerStopped,
)
from tests.soak.postgres_faults import (
    PostgresConnectionsReset,
    PostgresCrashed,
    PostgresFrozen,
    PostgresGone,
    PostgresReadOnly,
    PostgresUnreachable,
    PostgresUnreachableForOne,
)
from tests.soak.redis_faults import (
    RedisEmptied,
    RedisFrozen,
    RedisGone,
    RedisUnreachable,
    RedisUnreachableForOne,
)
from tests.soak.stage import Stage
from tests.soak.takeover_faults import (
    PoolerRestarted,
    PostgresFailsOver,
    PostgresGoneBehindPooler,
    RedisFailsOver,
)

FAULTS: tuple[type[Fault], ...] = (
    *(PostgresGone, PostgresCrashed, PostgresFrozen, PostgresReadOnly),
    *(PostgresUnreachable, PostgresUnreachableForOne, PostgresConnectionsReset),
    *(RedisGone, RedisEmptied, RedisFrozen, RedisUnreachable, RedisUnreachableForOne),
    *(MailGone, MailFrozen),
    *(WorkerKilled, WorkerStopped, HostRestarted, LogPipeFull, CountersHeld),
    *(DiskFull, PostgresFailsOver, RedisFailsOver),
    *(PoolerRestarted, PostgresGoneBehindPooler),
)


def deal(
    rng: random.Random, stage: Stage, wanted: Callable[[type[Fault]], bool]
) -> list[type[Fault]]:
    """All faults that can happen on a stage, in a random order."""
    faults = [
        fault
        for fault in FAULTS
        if stage.kind in fault.kinds and fault.is_possible(stage) and wanted(fault)
    ]
    rng.shuffle(faults)
    return faults
