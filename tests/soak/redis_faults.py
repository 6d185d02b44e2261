"""Faults of Redis and of the way to it."""

from redis import Redis

from tests.soak.fault import Fault, HeldWays
from tests.soak.freezing import Frozen
from tests.soak.oracle import Excuse
from tests.soak.ways import Way


class RedisGone(Fault):
    """Redis is shut down, and starts again with what it had."""

    name = "Redis gone"
    excuses = frozenset({Excuse.ALONE})

    def begin(self) -> None:
        assert self.stage.redis is not None
        self.stage.redis.stop()

    def end(self) -> None:
        assert self.stage.redis is not None
        self.stage.redis.start()


class RedisEmptied(Fault):
    """Redis starts again without what it had."""

    name = "Redis restarted empty"
    seconds = (0.5, 3.0)
    excuses = frozenset({Excuse.ALONE, Excuse.COUNTS_LOST})

    def begin(self) -> None:
        assert self.stage.redis is not None
        with Redis.from_url(self.stage.redis.url) as client:
            client.flushall()
        self.stage.redis.stop()

    def end(self) -> None:
        assert self.stage.redis is not None
        self.stage.redis.start()


class RedisFrozen(Fault):
    """Redis is stopped: connections stay, and nothing answers."""

    name = "Redis frozen"
    # What a frozen Redis was told it does when it goes on; the host has counted it as well.
    excuses = frozenset({Excuse.ALONE, Excuse.COUNTS_TWICE})
    _frozen: Frozen | None = None

    def begin(self) -> None:
        assert self.stage.redis is not None
        with Redis.from_url(self.stage.redis.url) as client:
            self._frozen = Frozen([client.info()["process_id"]])

    def end(self) -> None:
        if self._frozen is not None:
            self._frozen.release()


class RedisUnreachable(HeldWays):
    """Packets between all hosts and Redis are dropped."""

    name = "packets to Redis dropped"
    server = "redis"
    excuses = frozenset({Excuse.ALONE, Excuse.COUNTS_TWICE})


class RedisUnreachableForOne(RedisUnreachable):
    """Packets between one host and Redis are dropped: it counts alone, the other in Redis."""

    name = "packets of one host to Redis dropped"

    def ways(self) -> list[Way]:
        return [self.stage.rng.choice(self.stage.ways_to(self.server))]
