"""Processes beside the workers: forked, watched and ended by the master, which restarts a dead one.

Such a process is forked from the master, so it shares the memory of the loaded application. It
waits on a pipe whose other end only the master holds. When the master closes that end, dies, or
executes another program, the process notices at once, finishes its work and exits. So it never
outlives its master. Signals to the whole process group (Ctrl-C, systemd's stop) do not end it,
because it must save the usage of the workers' last requests.
"""

import logging
import mmap
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gunicorn import util

from ragauth.metrics import FAILING, HUNG, KILLED, PROCESS_DEATHS, board
from ragauth.server import handover
from ragauth.services.troubles import PROCESS
from ragauth.web.log_writer import log_writer

log = logging.getLogger("ragauth")

_BEAT_MS = 1_000
# Enough to save much usage and to finish sending a mail; after that the process is killed.
_END_SECONDS = 10.0
_LOOK_SECONDS = 0.02
# A process that dies soon after its start is restarted after a pause, which doubles each time.
_YOUNG_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 30.0
# They reach all processes of a terminal or a service; here only the master heeds them.
_MASTERS_SIGNALS = (
    *("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"),
    *("SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU"),
)

_begun: "list[ProcessBeside]" = []


class ProcessBeside:
    """One process beside the workers, as the master sees it.

    `run` is called in the process, with a function that waits until the process must end; the
    process exits when `run` returns. `works` are the names of its background works in `/readyz`.
    """

    def __init__(
        self, name: str, run: Callable[[Callable[[], None]], None], works: tuple[str, ...]
    ) -> None:
        self._name = name
        self._run = run
        self._works = works
        self._pid = 0
        self._slot = 0
        self._master_end = -1
        # When it lived last, by the monotonic clock: in memory that it shares with the master.
        self._last_beat: memoryview[float] = memoryview(mmap.mmap(-1, 8)).cast("d")
        self._is_told = False
        self._is_hung = False
        self._started_at = 0.0
        self._start_from = 0.0
        self._pause = 0.0

    def look_after(self, master: Any) -> None:
        """Start the process if it is missing, kill it if it hangs; for each turn of the master."""
        now = time.monotonic()
        if self._pid and not self._is_there():
            self._bury(now)
        if self._pid:
            if master.timeout and now - self._last_beat[0] > master.timeout:
                self._is_hung = True
                os.kill(self._pid, signal.SIGKILL)
        elif now >= self._start_from:
            self._try_to_start(master)

    def end(self, master: Any) -> None:
        """After the last worker: let it end its work. Where it had died, another one does."""
        if (not self._pid or not self._is_there()) and not self._try_to_start(master):
            return
        self.let_go()
        deadline = time.monotonic() + _END_SECONDS
        while self._is_there() and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        if self._is_there():
            log.error("a process beside the workers did not end and was killed", extra=self._extra)
            os.kill(self._pid, signal.SIGKILL)

    def let_go(self) -> None:
        """In another child of the master, too: only the master may hold what tells of its end."""
        if self._master_end >= 0:
            os.close(self._master_end)
            self._master_end = -1

    @property
    def _extra(self) -> dict[str, Any]:
        return {"beside": self._name, "beside_pid": self._pid}

    def _is_there(self) -> bool:
        # gunicorn's master may have reaped it: it reaps all children, also those that it does not
        # know.
        try:
            return os.waitpid(self._pid, os.WNOHANG)[0] == 0
        except ChildProcessError:
            return False

    def _bury(self, now: float) -> None:
        has_ended_itself = board.leave_slot(self._slot)
        if self._is_hung or not has_ended_itself:
            PROCESS_DEATHS.count(HUNG if self._is_hung else KILLED)
            log.error("a process beside the workers died", extra=self._extra)
        self._tell(is_failing=True)
        if now - self._started_at >= _YOUNG_SECONDS:
            self._pause = 0.0
        self._pid = 0
        self._is_hung = False
        self.let_go()
        self._put_off(now)

    def _put_off(self, now: float) -> None:
        # The first time at once.
        self._start_from = now + self._pause
        self._pause = min(max(1.0, 2 * self._pause), _LONGEST_PAUSE_SECONDS)

    def _tell(self, *, is_failing: bool) -> None:
        if is_failing != self._is_told:
            self._is_told = is_failing
            for work in self._works:
                FAILING.add(1 if is_failing else -1, work, PROCESS)

    def _try_to_start(self, master: Any) -> bool:
        """Without memory, files or processes left for it, it is tried again; the workers go on."""
        try:
            self._start(master)
        except OSError as error:
            log.error(
                "a process beside the workers could not be started",
                extra={"beside": self._name, "cause": str(error)},
            )
            self._tell(is_failing=True)
            self._put_off(time.monotonic())
            return False
        return True

    def _start(self, master: Any) -> None:
        self.let_go()
        child_end, self._master_end = os.pipe()
        self._slot = board.take_slot()
        # From now on: it may hang before it has beaten once.
        self._started_at = self._last_beat[0] = time.monotonic()
        try:
            pid = os.fork()
            if pid == 0:
                self._live(master, child_end)
        except OSError:
            board.leave_slot(self._slot)
            raise
        finally:
            os.close(child_end)
        self._pid = pid
        self._tell(is_failing=False)

    def _live(self, master: Any, child_end: int) -> None:
        """The whole life of the process; never returns."""
        code = 1
        try:
            self._become(master)
            log.info("a process beside the workers begins", extra={"beside": self._name})
            self._run(lambda: self._wait_for_end(child_end))
            board.end()
            code = 0
        except BaseException:
            log.exception("a process beside the workers failed")
        finally:
            log_writer.stop()
            # Not sys.exit(): the registered exit handlers belong to the master.
            os._exit(code)

    def _become(self, master: Any) -> None:
        # Set the name in `ps` and `top` on Linux; 15 bytes at most.
        with suppress(OSError):
            Path("/proc/self/comm").write_text(f"ragauth {self._name}"[:15])
        for name in _MASTERS_SIGNALS:
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        handover.accept_signals()
        for each in _begun:
            if each is not self:
                each.let_go()
        self.let_go()
        # A listening socket that outlives its workers would take connections for nobody.
        for listener in master.LISTENERS:
            listener.sock.close()
        for worker in master.WORKERS.values():
            worker.tmp.close()
        board.enter_slot(self._slot, is_worker=False)
        # What it writes, workers must be able to open.
        util.set_owner_process(master.cfg.uid, master.cfg.gid, initgroups=master.cfg.initgroups)

    def _wait_for_end(self, child_end: int) -> None:
        poll = select.poll()
        poll.register(child_end, select.POLLIN)
        while not poll.poll(_BEAT_MS):
            self._last_beat[0] = time.monotonic()


def begin(master: Any, *processes: ProcessBeside) -> None:
    """Let the master look after these processes, in each of its turns and after each death."""
    _begun.extend(processes)
    manage_workers = master.manage_workers

    def manage_all() -> None:
        manage_workers()
        for process in _begun:
            process.look_after(master)

    master.manage_workers = manage_all


def forget_all() -> None:
    """Forget all these processes; called in a new worker."""
    for process in _begun:
        process.let_go()
    _begun.clear()


def end_all(master: Any) -> None:
    """End these processes; called in the master after its workers have ended."""
    for process in _begun:
        process.end(master)
