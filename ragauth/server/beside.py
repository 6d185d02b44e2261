"""Processes beside the workers: forked, watched and ended by the master, which restarts a dead one.

Such a process is forked from the master, so it shares the memory of the loaded application. It
waits on a pipe whose other end only the master holds. When the master closes that end, dies, or
executes another program, the process notices at once, finishes its work and exits. So it never
outlives its master. Signals to the whole process group (Ctrl-C, systemd's stop) do not end it,
because it must save the usage of the workers' last requests.
"""

import logging
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gunicorn.workers.workertmp import WorkerTmp

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
# Signals that reach all processes of a terminal or a service; only the master acts on them.
_MASTERS_SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU")

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
        self._is_asked_to_end = False
        self._slot = 0
        self._master_end = -1
        self._heartbeat: WorkerTmp | None = None
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
            if master.timeout and now - self._last_beat() > master.timeout:
                self._is_hung = True
                os.kill(self._pid, signal.SIGKILL)
        elif now >= self._start_from:
            self._start(master)

    def end(self, master: Any) -> None:
        """Let the process finish and exit after the last worker; start it first if it has died."""
        if not self._pid or not self._is_there():
            self._start(master)
        self._let_go()
        deadline = time.monotonic() + _END_SECONDS
        while self._is_there() and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        if self._is_there():
            log.error("a process beside the workers did not end and was killed", extra=self._extra)
            os.kill(self._pid, signal.SIGKILL)

    def forget(self) -> None:
        """Close what only the master may hold; called in the master's other children."""
        self._let_go()
        if self._heartbeat is not None:
            self._heartbeat.close()
            self._heartbeat = None

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

    def _last_beat(self) -> float:
        return time.monotonic() if self._heartbeat is None else self._heartbeat.last_update()

    def _bury(self, now: float) -> None:
        has_ended_itself = board.leave_slot(self._slot)
        if self._is_hung or not has_ended_itself:
            PROCESS_DEATHS.count(HUNG if self._is_hung else KILLED)
            log.error("a process beside the workers died", extra=self._extra)
        self._tell(is_failing=True)
        if now - self._started_at >= _YOUNG_SECONDS:
            self._pause = 0.0
        # The first restart is at once.
        self._start_from = now + self._pause
        self._pause = min(max(1.0, 2 * self._pause), _LONGEST_PAUSE_SECONDS)
        self._pid = 0
        self._is_hung = False
        self.forget()

    def _tell(self, *, is_failing: bool) -> None:
        if is_failing != self._is_told:
            self._is_told = is_failing
            for work in self._works:
                FAILING.add(1 if is_failing else -1, work, PROCESS)

    def _start(self, master: Any) -> None:
        self.forget()
        self._slot = board.take_slot()
        self._heartbeat = WorkerTmp(master.cfg)
        child_end, self._master_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._live(master, child_end)
        os.close(child_end)
        self._pid, self._started_at = pid, time.monotonic()
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
        signal.signal(signal.SIGTERM, self._ask_to_end)
        handover.accept_signals()
        for each in _begun:
            if each is not self:
                each.forget()
        self._let_go()
        # Close the listening sockets: after the workers' end they would accept connections that
        # nobody serves.
        for listener in master.LISTENERS:
            listener.sock.close()
        for worker in master.WORKERS.values():
            worker.tmp.close()
        board.enter_slot(self._slot, is_worker=False)

    def _ask_to_end(self, _number: int, _frame: object) -> None:
        self._is_asked_to_end = True

    def _wait_for_end(self, child_end: int) -> None:
        poll = select.poll()
        poll.register(child_end, select.POLLIN)
        while not self._is_asked_to_end and not poll.poll(_BEAT_MS):
            if self._heartbeat is not None:
                self._heartbeat.notify()

    def _let_go(self) -> None:
        if self._master_end >= 0:
            os.close(self._master_end)
            self._master_end = -1


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
        process.forget()
    _begun.clear()


def end_all(master: Any) -> None:
    """End these processes; called in the master after its workers have ended."""
    for process in _begun:
        process.end(master)
