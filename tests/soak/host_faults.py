"""Faults of hosts, their disks and logs, and of the mail server."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from tests.soak.fault import ANY_KIND, Fault, HeldWays
from tests.soak.freezing import Frozen
from tests.soak.hosts import Host
from tests.soak.oracle import Excuse
from tests.soak.stage import SQLITE, Stage


class MailGone(Fault):
    """The mail server is shut down, and starts again."""

    name = "mail server gone"
    kinds = ANY_KIND
    excuses = frozenset()

    def begin(self) -> None:
        self.stage.smtp.stop()

    def end(self) -> None:
        self.stage.smtp.start()


class MailFrozen(HeldWays):
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
