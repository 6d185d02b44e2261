"""Faults of Postgres and of the way to it."""

import os
import signal

from tests.soak.fault import Fault, HeldWays
from tests.soak.freezing import Frozen, freeze_family
from tests.soak.ways import Way


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


class PostgresUnreachable(HeldWays):
    """Packets between all hosts and Postgres are dropped."""

    name = "packets to Postgres dropped"
    server = "postgres"


class PostgresUnreachableForOne(PostgresUnreachable):
    """Packets between one host and Postgres are dropped."""

    name = "packets of one host to Postgres dropped"

    def ways(self) -> list[Way]:
        return [self.stage.rng.choice(self.stage.ways_to(self.server))]


class PostgresConnectionsReset(HeldWays):
    """All connections to Postgres are reset, as by a firewall that forgets them."""

    name = "connections to Postgres reset"
    server = "postgres"
    seconds = (0.5, 1.0)

    def begin(self) -> None:
        for way in self.ways():
            way.cut()
