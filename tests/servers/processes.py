"""Child processes that end with the test run, however it ends."""

import os
import random
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers.preloaded import ForkedProcess, fork_module, is_forked

# Kills the child and removes its folder when the pipe closes without a word, as it does when the
# test process is killed; Python's own clean-up would not run then.
_LEASH = """
read -r _ && exit
kill -s "$1" "$2"
i=0
while kill -s 0 "$2" && [ "$((i += 1))" -lt 50 ]; do sleep 0.1; done
kill -s KILL "$2"
rm -rf "$3"
"""
_LIMIT = 'ulimit -n "$0" && exec "$@"'


def keep_ignored_signals_to_oneself() -> None:
    """Let SIGINT and SIGQUIT end what is started from now on, though this process ignores them.

    A shell without job control starts what is in its background with both ignored, and each server
    of the tests would inherit that. A signal with a handler is at its default in a new program.
    """
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def free_port() -> int:
    """Return a loopback port that nobody listens on.

    It lies below the ephemeral range, so that no outgoing connection takes it while the server is
    stopped and started again.
    """
    while True:
        port = random.randint(20_000, 29_999)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@contextmanager
def refusing_port() -> Iterator[int]:
    """Yield a loopback port that refuses every connection; no server can take it meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def has_ipv6() -> bool:
    """Return whether this machine has an IPv6 loopback; containers often have none."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def memory_folder(needed_megabytes: int) -> str:
    """Return a folder in memory that has the space (a container's often has not), or the disk's."""
    try:
        disk = os.statvfs("/dev/shm")
    except OSError:
        return tempfile.gettempdir()
    roomy = disk.f_bavail * disk.f_frsize >= needed_megabytes * 2**20
    return "/dev/shm" if roomy and os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()


def children_of(pid: int) -> list[int]:
    """Return the process ids of a process' children that are no zombies."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    # A kernel may lack these lists. Then each process that there is says whose child it is.
    stats = [Path(f"/proc/{child}/stat") for found in lists for child in found.split()]
    return [
        child
        for child, parent in _parents(stats if lists else Path("/proc").glob("[0-9]*/stat"))
        if parent == pid
    ]


def _parents(stats: Iterable[Path]) -> Iterator[tuple[int, int]]:
    """Yield process id and parent's id of each of these processes that is not a zombie."""
    for stat in stats:
        try:
            # The second field, the program's name, is in parentheses and may contain anything.
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            yield int(stat.parent.name), int(parent)


class ServerProcess:
    """One server in a session of its own, so that Ctrl-C reaches the tests and not the server."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str],
        cwd: Path,
        last_signal: signal.Signals,
        account: tuple[int, int] | None = None,
        log_to: int | None = None,
        pass_fds: Sequence[int] = (),
        open_files: int | None = None,
        sockets: Sequence[int] = (),
        is_linked: bool = False,
    ) -> None:
        """`log_to` is a file descriptor for what it prints, in the place of a file.

        `open_files` is how many it may have, where it is to be few; `sockets` are file descriptors
        that a fork gets as systemd hands them on.
        What `python -m` would run is forked from a Python that has loaded the most of it; with
        `is_linked` from one that has loaded this program, to which the one in `cwd` is links.
        """
        self.log_path = folder / "log"
        user, group = account or (None, None)
        self._process: subprocess.Popen[bytes] | ForkedProcess
        with self.log_path.open("ab") as log:
            output = log.fileno() if log_to is None else log_to
            if not account and not pass_fds and is_forked(command, environment):
                self._process = fork_module(
                    *(str(command[2]), [str(word) for word in command[3:]]),
                    environment=environment,
                    cwd=cwd,
                    output=output,
                    open_files=open_files,
                    sockets=sockets,
                    is_linked=is_linked,
                )
            else:
                limit = [] if open_files is None else ["/bin/sh", "-c", _LIMIT, str(open_files)]
                self._process = subprocess.Popen(
                    [*limit, *command],
                    env=environment,
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    user=user,
                    group=group,
                    extra_groups=[] if account else None,
                    pass_fds=pass_fds,
                )
        self.pid = self._process.pid
        self._leash = subprocess.Popen(
            ["/bin/sh", "-c", _LEASH, "leash", last_signal.name[3:], str(self.pid), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def log(self) -> str:
        """Return everything the server has printed so far."""
        return self.log_path.read_text(errors="replace")

    def exit_code(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.poll()

    def stop(self, number: signal.Signals, timeout_seconds: float) -> int:
        """Send the signal and return the exit code; a server that does not heed it is killed."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"no end {timeout_seconds} s after {number.name}:\n{self.log()}"
            ) from None
        finally:
            self._end()

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        self._end()

    def _end(self) -> None:
        if self._process.poll() is None:
            # Its whole session, which is its own: workers must not outlive their master. All of it
            # may have ended in this moment.
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        if self._leash.poll() is None:
            self._leash.communicate(b"\n")
