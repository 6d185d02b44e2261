"""Faults of servers that have another one to take over, and of a pooler."""

import time

from tests.soak.fault import Fault
from tests.soak.oracle import Excuse
from tests.soak.postgres_faults import PostgresGone
from tests.soak.stage import PAIRS, POOLED


class PostgresFailsOver(Fault):
    """The primary is killed, its synchronous standby takes over, and it returns as a standby.

    Between the two there is a time without a primary.
    """

    name = "Postgres fails over"
    kinds = frozenset({PAIRS})

    def begin(self) -> None:
        assert self.stage.postgres_pair is not None
        self.stage.postgres_pair.primary.kill()
        time.sleep(self.stage.rng.uniform(0, 3))
        self.stage.postgres_pair.promote()

    def end(self) -> None:
        assert self.stage.postgres_pair is not None
        self.stage.postgres_pair.return_as_standby()


class RedisFailsOver(Fault):
    """The primary is killed, a Sentinel lets its replica take over, and it returns as a replica."""

    name = "Redis fails over"
    kinds = frozenset({PAIRS})
    # A replica follows a little behind.
    excuses = frozenset({Excuse.ALONE, Excuse.COUNTS_LOST})

    def begin(self) -> None:
        assert self.stage.redis_pair is not None
        self.stage.redis_pair.kill_primary()
        self.stage.redis_pair.wait_for_another()

    def end(self) -> None:
        assert self.stage.redis_pair is not None
        self.stage.redis_pair.return_as_replica()


class PoolerRestarted(Fault):
    """PgBouncer is stopped, with the connections of its clients, and starts again."""

    name = "PgBouncer restarted"
    kinds = frozenset({POOLED})
    seconds = (0.0, 6.0)

    def begin(self) -> None:
        assert self.stage.pooler is not None
        self.stage.pooler.stop()

    def end(self) -> None:
        assert self.stage.pooler is not None
        self.stage.pooler.start()


class PostgresGoneBehindPooler(PostgresGone):
    """Postgres is shut down behind PgBouncer, and starts again."""

    name = "Postgres gone behind PgBouncer"
    kinds = frozenset({POOLED})
