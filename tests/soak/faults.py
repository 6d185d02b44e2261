"""The faults. To add one: a class with `begin` and `end`, and its place in FAULTS."""

import contextlib
import os
import random
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from redis import Redis

from tests.soak.freezing import Frozen, freeze_family
from tests.soak.hosts import Host
from tests.soak.oracle import Excuse
from tests.soak.stage import KINDS, POSTGRES, SQLITE, Stage
from tests.soak.ways import Way

ANY_KIND = frozenset(KINDS)


class Fault(ABC):
    """One thing that goes wrong, on a stage of one of its `kinds`.

    It lasts between the `seconds`, drawn at random. What `excuses` name may happen meanwhile and
    for `within_seconds` after it; then all is as it was. Every other promise holds throughout.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str]] = frozenset({POSTGRES})
    seconds: ClassVar[tuple[float, float]] = (4.0, 12.0)
    within_seconds: ClassVar[float] = 10.0
    excuses: ClassVar[frozenset[Excuse]] = frozenset({Excuse.REFUSED})

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @classmethod
    def is_possible(cls, stage: Stage) -> bool:
        """Whether this machine lets it happen."""
        return True

    @abstractmethod
    def begin(self) -> None:
        """Make it go wrong; `end` is called too where this raised."""

    @abstractmethod
    def end(self) -> None:
        """Mend what is outside of ragauth, which mends itself."""


class PostgresGone(Fault):
    """Postgres is shut down, and starts again."""

    name = "Postgres gone"

    def begin(self) -> None:
        assert self.stage.postgres is not None
        self.stage.postgres.stop()

    def end(self) -> None:
        assert self.stage.postgres is not None
        self.stage.postgres.start()


class PostgresCrashed(PostgresGone):
    """Postgres ends at once, as for want of memory, and recovers from its log."""

    name = "Postgres crashed"

    def begin(self) -> None:
        os.kill(self.stage.postgres_master(), signal.SIGQUIT)
        super().begin()


class PostgresFrozen(Fault):
    """Every process of Postgres is stopped: connections stay, and nothing answers."""

    name = "Postgres frozen"
    _frozen: Frozen | None = None

    def begin(self) -> None:
        self._frozen = freeze_family(self.stage.postgres_master())

    def end(self) -> None:
        if self._frozen is not None:
            self._frozen.release()


class PostgresReadOnly(Fault):
    """Postgres answers and takes no writes, as a standby, or one whose disk is nearly full."""

    name = "Postgres read-only"

    def begin(self) -> None:
        self.stage.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        self.stage.execute("SELECT pg_reload_conf()")

    def end(self) -> None:
        self.stage.execute("ALTER SYSTEM RESET default_transaction_read_only")
        self.stage.execute("SELECT pg_reload_conf()")


class _Ways(Fault):
    """Something happens to the ways to one server."""

    server: ClassVar[str]

    def ways(self) -> list[Way]:
        return self.stage.ways_to(self.server)

    def begin(self) -> None:
        self._ways = self.ways()
        for way in self._ways:
            way.hold()

    def end(self) -> None:
        for way in self.stage.ways_to(self.server):
            way.release()


class PostgresUnreachable(_Ways):
    """Packets between all hosts and Postgres are dropped."""

    name = "packets to Postgres dropped"
    server = "postgres"


class PostgresUnreachableForOne(PostgresUnreachable):
    """Packets between one host and Postgres are dropped."""

    name = "packets of one host to Postgres dropped"

    def ways(self) -> list[Way]:
        return [self.stage.rng.choice(self.stage.ways_to(self.server))]


class PostgresConnectionsReset(_Ways):
    """All connections to Postgres are reset, as by a firewall that forgets them."""

    name = "connections to Postgres reset"
    server = "postgres"
    seconds = (0.5, 1.0)

    def begin(self) -> None:
        for way in self.ways():
            way.cut()


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


class RedisUnreachable(_Ways):
    """Packets between all hosts and Redis are dropped."""

    name = "packets to Redis dropped"
    server = "redis"
    excuses = frozenset({Excuse.ALONE, Excuse.COUNTS_TWICE})


class RedisUnreachableForOne(RedisUnreachable):
    """Packets between one host and Redis are dropped: it counts alone, the other in Redis."""

    name = "packets of one host to Redis dropped"

    def ways(self) -> list[Way]:
        return [self.stage.rng.choice(self.stage.ways_to(self.server))]


class MailGone(Fault):
    """The mail server is shut down, and starts again."""

    name = "mail server gone"
    kinds = ANY_KIND
    excuses = frozenset()

    def begin(self) -> None:
        self.stage.smtp.stop()

    def end(self) -> None:
        self.stage.smtp.start()


class MailFrozen(_Ways):
    """The mail server takes connections and says nothing."""

    name = "mail server frozen"
    server = "mail"
    kinds = ANY_KIND
    excuses = frozenset()


class _OneHost(Fault):
    """Something happens to one host."""

    kinds = ANY_KIND

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.host: Host = stage.rng.choice(stage.hosts)


class WorkerKilled(_OneHost):
    """A worker is killed amid its work; its master starts another."""

    name = "a worker killed"
    seconds = (1.0, 3.0)
    excuses = frozenset({Excuse.UNANSWERED})

    def begin(self) -> None:
        os.kill(self.stage.rng.choice(self.host.worker_pids()), signal.SIGKILL)

    def end(self) -> None:
        self.host.wait_for_workers(self.within_seconds)


class WorkerStopped(_OneHost):
    """A worker is stopped; the other one of its host goes on."""

    name = "a worker stopped"
    excuses = frozenset({Excuse.UNANSWERED, Excuse.SLOW})
    _frozen: Frozen | None = None

    def begin(self) -> None:
        self._frozen = Frozen([self.stage.rng.choice(self.host.worker_pids())])

    def end(self) -> None:
        if self._frozen is not None:
            self._frozen.release()


class HostRestarted(_OneHost):
    """A host is stopped by SIGTERM, and started again at once."""

    name = "a host restarted"
    seconds = (0.0, 0.0)
    # The first who come wait for a worker.
    excuses = frozenset({Excuse.UNANSWERED, Excuse.SLOW})

    def begin(self) -> None:
        self.host.stop()

    def end(self) -> None:
        self.host.start()


class LogPipeFull(_OneHost):
    """What collects a host's log reads no more."""

    name = "log pipe full"
    seconds = (8.0, 15.0)
    excuses = frozenset()

    def begin(self) -> None:
        self.host.log.hold()

    def end(self) -> None:
        self.host.log.release()


class CountersHeld(_OneHost):
    """A process that holds the lock of a host's counters is stopped."""

    name = "holder of the counters' lock stopped"
    kinds = frozenset({SQLITE})
    _holder: "subprocess.Popen[bytes] | None" = None

    def begin(self) -> None:
        (guard,) = self.host.instance.glob("counters*-guard")
        # It ends with this process, which holds the other end of its pipe.
        self._holder = subprocess.Popen(
            ["/usr/bin/flock", str(guard), "/bin/sh", "-c", "read -r _"], stdin=subprocess.PIPE
        )

    def end(self) -> None:
        if self._holder is not None:
            self._holder.communicate(b"\n")


class DiskFull(Fault):
    """The disk of an instance folder has not a byte left: database, counters and outbox."""

    name = "disk full"
    kinds = ANY_KIND

    @classmethod
    def is_possible(cls, stage: Stage) -> bool:
        return stage.has_small_disk

    @property
    def _rest(self) -> Path:
        return self.stage.hosts[0].instance / "the-rest"

    def begin(self) -> None:
        with self._rest.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(65_536)):
                pass

    def end(self) -> None:
        self._rest.unlink(missing_ok=True)


FAULTS: tuple[type[Fault], ...] = (
    *(PostgresGone, PostgresCrashed, PostgresFrozen, PostgresReadOnly),
    *(PostgresUnreachable, PostgresUnreachableForOne, PostgresConnectionsReset),
    *(RedisGone, RedisEmptied, RedisFrozen, RedisUnreachable, RedisUnreachableForOne),
    *(MailGone, MailFrozen),
    *(WorkerKilled, WorkerStopped, HostRestarted, LogPipeFull, CountersHeld),
    DiskFull,
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
