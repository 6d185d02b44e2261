"""GitHub's list of keys, as the processes of a service share it; see also tests/e2e."""

import os
import subprocess
import sys

import pytest

from ragauth.services.keys.shared_list import Fetched, SharedList

FIRST = Fetched(asked_at=1.5, has_failed=False, read_at=1.5, listed='{"é": ' + "x" * 1000)
SECOND = Fetched(asked_at=61.0, has_failed=True, read_at=1.5, listed="{}")
# Takes the lock of the file that it inherits, and keeps it until it is told to end.
HOLDER = "import fcntl, sys; fcntl.lockf(int(sys.argv[1]), fcntl.LOCK_EX); print(); input()"


def test_what_was_written_last_is_read() -> None:
    shared = SharedList()
    assert shared.read() is None
    for fetched in (FIRST, SECOND):
        shared.write(fetched)
        assert shared.read() == fetched


@pytest.mark.parametrize("left", [b"", b'[1.5, false, 1.5, "{', b"[1.5]", b"\0" * 10])
def test_what_a_killed_writer_left_is_nothing(left: bytes) -> None:
    shared = SharedList()
    os.pwrite(shared._file, left, 0)
    assert shared.read() is None


def test_a_process_that_keeps_the_lock_is_waited_for_so_long_and_a_dead_one_keeps_none() -> None:
    """S47: it may be stopped."""
    shared = SharedList()
    file = shared._file
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)],
        pass_fds=[file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(TimeoutError), shared.held(longest_seconds=0.05):
            pytest.fail("two have it")
        holder.kill()
        holder.wait()
        with shared.held(longest_seconds=0.05):
            shared.write(FIRST)
    assert shared.read() == FIRST
