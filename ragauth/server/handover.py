"""SIGHUP: the master becomes the new version and keeps its process id and its sockets.

The master replaces itself by exec with the present code and settings. The sockets stay open, so
clients wait and are not refused. The workers are still its children; they finish their requests and
exit when their successors have started. A trial process loads the program first: a version that
does not load is never executed.

gunicorn's own SIGHUP would fork the old application, which the master has loaded. gunicorn's
SIGUSR2 changes the process id: a container would end, and a supervisor would lose its process.
"""

import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
from typing import Any

from gunicorn.arbiter import Arbiter

from ragauth.config import WORKERS_BEFORE, environment_for_successor, take_workers_before
from ragauth.web.log_writer import log_writer

log = logging.getLogger("ragauth")

_FIRST_SYSTEMD_DESCRIPTOR = 3
_LOADING_SECONDS = 60
# Blocked while a process has no handlers of its own for them, as they would end it or be lost;
# handled afterwards.
_HELD_BACK = Arbiter.SIGNALS


class _Heartbeat:
    """The file whose modification time tells the master that a worker lives."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_inheritable(descriptor, False)

    def last_update(self) -> float:
        return os.fstat(self._descriptor).st_mtime

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)


class _WorkerBefore:
    """A worker of the old version, with the attributes that gunicorn's master uses."""

    # Older than any other, so the master ends these workers first.
    age = 0
    metrics_slot = None

    def __init__(self, pid: int, heartbeat: int) -> None:
        self.pid = pid
        self.tmp = _Heartbeat(heartbeat)
        self.aborted = False


def prepare(master: Any) -> None:
    """Install the handling of SIGHUP; called with gunicorn's master before it listens."""
    # This variable was meant for this version; the next one must not inherit it.
    master.cfg.env_orig.pop(WORKERS_BEFORE, None)
    master.handle_hup = lambda: _become_the_new_version(master)
    _take_sighup_last(master)
    _hold_signals_while_a_worker_starts(master)
    # The command as it was called. gunicorn's own form turns `python -m gunicorn` into a script:
    # then gunicorn's folder comes first on the path, and its `http` hides the standard library's.
    master.START_CTX["args"] = [sys.executable, *sys.orig_argv[1:]]


def begin(master: Any) -> None:
    """Start the workers and end those of the old version; called when the master listens."""
    before = take_workers_before()
    for pid, heartbeat in before:
        master.WORKERS[pid] = _WorkerBefore(pid, heartbeat)
    if before:
        # The master ends surplus workers, oldest first, so the old version's workers end.
        for _ in range(master.cfg.workers):
            master.spawn_worker()
        log.info("the new version serves", extra={"workers_before": [pid for pid, _ in before]})
    accept_signals()


def accept_signals() -> None:
    """Unblock the signals; called in a master or new worker that has its handlers."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_BACK)


def place_for_systemd(master: Any) -> None:
    """Move the sockets to the descriptors that systemd uses, for the next program."""
    if not master.systemd:
        return
    first = _FIRST_SYSTEMD_DESCRIPTOR
    behind = first + len(master.LISTENERS)
    copies = [fcntl.fcntl(each.fileno(), fcntl.F_DUPFD, behind) for each in master.LISTENERS]
    for descriptor, copy in enumerate(copies, first):
        os.dup2(copy, descriptor)
        os.set_inheritable(copy, False)


def _become_the_new_version(master: Any) -> None:
    if not _does_load(master):
        log.error("the new version does not load; this one goes on")
        return
    log.info("becoming the new version")
    behind = _FIRST_SYSTEMD_DESCRIPTOR + len(master.LISTENERS)
    heartbeats = {
        pid: fcntl.fcntl(worker.tmp.fileno(), fcntl.F_DUPFD, behind)
        for pid, worker in master.WORKERS.items()
    }
    place_for_systemd(master)
    environment = environment_for_successor(
        master.cfg.env_orig,
        listeners=[each.fileno() for each in master.LISTENERS],
        is_systemd=master.systemd,
        workers=heartbeats,
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    log_writer.stop()
    _hand_signals_on(master)
    os.chdir(master.START_CTX["cwd"])
    os.execve(sys.executable, master.START_CTX["args"], environment)  # noqa: S606


def _take_sighup_last(master: Any) -> None:
    """Handle SIGHUP last of the signals that came together: those after it would be lost."""
    wait = master.wait_for_signals
    master.wait_for_signals = lambda timeout=1.0: sorted(
        wait(timeout), key=lambda number: number == signal.SIGHUP
    )


def _hold_signals_while_a_worker_starts(master: Any) -> None:
    """Block the signals before each fork; the worker unblocks them when it has its handlers.

    Until then a worker has its master's handlers, which would only note the signal. A SIGTERM would
    be lost, and the master would wait for that worker until its graceful timeout is over.
    """
    spawn = master.spawn_worker

    def spawn_worker() -> int:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
        try:
            pid: int = spawn()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid

    master.spawn_worker = spawn_worker


def _hand_signals_on(master: Any) -> None:
    """Send this process again the signals that came during the trial.

    They are blocked, so they wait for the new version. They are sent to this thread, because it
    surely blocks them.
    """
    while not master.SIG_QUEUE.empty():
        number = master.SIG_QUEUE.get_nowait()
        if number in _HELD_BACK:
            signal.pthread_kill(threading.get_ident(), number)


def _does_load(master: Any) -> bool:
    """Whether the present code and settings load, tried in a process that serves nothing."""
    try:
        done = subprocess.run(  # noqa: S603 - the command that started this process
            [*master.START_CTX["args"], "--check-config"],
            # The empty value tells the program that this is a trial.
            env=master.cfg.env_orig | {WORKERS_BEFORE: ""},
            cwd=master.START_CTX["cwd"],
            timeout=_LOADING_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("the new version cannot be tried", extra={"cause": str(error)})
        return False
    return done.returncode == 0
