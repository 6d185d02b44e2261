"""S47: whoever logs does not wait for standard error; what is lost is counted and told."""

import fcntl
import logging
import os
import select
import threading
import time
from collections.abc import Iterator

import pytest

from ragauth.metrics import LOG_LINES_LOST, board
from ragauth.web import log_writer
from ragauth.web.log_writer import LogStream, LogWriter
from tests.waiting import wait_until

_PIPE_BYTES = 4096
_PATIENCE_SECONDS = 10


class Pipe:
    """A small pipe, read when a test wants."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def read_lines(self, count: int) -> list[bytes]:
        """Read until there are so many."""
        deadline, data = time.monotonic() + _PATIENCE_SECONDS, b""
        while data.count(b"\n") < count:
            assert select.select([self.reading], [], [], deadline - time.monotonic())[0]
            data += os.read(self.reading, _PIPE_BYTES)
        return data.splitlines(keepends=True)

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def writer(pipe: Pipe) -> Iterator[LogWriter]:
    writer = LogWriter(pipe.writing)
    writer.start()
    yield writer
    writer.stop()


def lines_lost() -> float:
    [sample] = LOG_LINES_LOST.read(board.sums())
    return sample.value


def numbered(count: int) -> list[bytes]:
    return [b'{"line": %d, "filling": "%s"}\n' % (n, b"x" * 100) for n in range(count)]


def test_a_command_writes_at_once(pipe: Pipe) -> None:
    LogWriter(pipe.writing).write(b"a line\n")
    assert select.select([pipe.reading], [], [], 0)[0]
    assert threading.active_count() == len(threading.enumerate())


def test_a_pipe_that_nobody_reads_holds_nobody_up_and_loses_nothing(
    pipe: Pipe, writer: LogWriter
) -> None:
    lines = numbered(1_000)
    for line in lines:
        writer.write(line)
    assert pipe.read_lines(1_000) == lines


def test_lines_beyond_the_bound_are_lost_counted_and_told(
    pipe: Pipe, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "MOST_LINES", 100)
    told: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = told.append  # type: ignore[method-assign]
    log_writer.log.addHandler(handler)
    lost_before = lines_lost()
    try:
        lines = numbered(2_000)
        for line in lines:
            writer.write(line)
        lost = lines_lost() - lost_before
        # A hundred wait, some were taken out to be written, and some stand in the pipe.
        assert 1_500 < lost < 1_900
        kept = pipe.read_lines(2_000 - int(lost))
        assert set(kept) < set(lines)
        # A slow machine tells it in several lines; together they name each that was lost.
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while sum(vars(record)["lines"] for record in told) < lost:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        log_writer.log.removeHandler(handler)
    assert {record.getMessage() for record in told} == {"lines of the log were lost"}
    assert sum(vars(record)["lines"] for record in told) == lost


def test_a_normal_end_loses_nothing(pipe: Pipe, writer: LogWriter) -> None:
    lines = numbered(20)
    for line in lines:
        writer.write(line)
    writer.stop()
    writer.write(b"a last word\n")
    assert pipe.read_lines(21) == [*lines, b"a last word\n"]


def test_the_end_is_seen_behind_as_many_lines_as_are_written_at_once(
    pipe: Pipe, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "MOST_LINES", 2)
    monkeypatch.setattr(log_writer, "_LAST_LINES_SECONDS", _PATIENCE_SECONDS)
    writer.write(b"x" * 2 * _PIPE_BYTES + b"\n")
    assert select.select([pipe.reading], [], [], _PATIENCE_SECONDS)[0]
    writer.write(b"last\n")
    end = threading.Thread(target=writer.stop)
    end.start()
    wait_until(lambda: writer._lines.qsize() == 2)
    assert pipe.read_lines(2)[1] == b"last\n"
    end.join(_PATIENCE_SECONDS / 2)
    assert not end.is_alive()


def test_a_pipe_that_nobody_reads_does_not_hold_up_the_end(
    pipe: Pipe, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "_LAST_LINES_SECONDS", 0.1)
    for line in numbered(100):
        writer.write(line)
    writer.stop()
    lost_before = lines_lost()
    writer.write(b"a last word\n")
    assert lines_lost() == lost_before + 1
    pipe.read_lines(100)


def test_a_child_writes_its_own_lines_and_none_of_its_parent(pipe: Pipe, writer: LogWriter) -> None:
    lines = numbered(100)
    for line in lines:
        writer.write(line)
    child = os.fork()
    if child == 0:
        writer.write(b"of the child\n")
        writer.stop()
        os._exit(0)
    found = pipe.read_lines(101)
    os.waitpid(child, 0)
    assert sorted(found) == sorted([*lines, b"of the child\n"])


def test_a_write_keeps_whole_lines_together_up_to_what_a_pipe_does() -> None:
    lines = [b"a" * 3_000 + b"\n", b"b" * 1_000 + b"\n", b"c" * 200 + b"\n", b"d" * 9_000 + b"\n"]
    pieces = list(log_writer._whole_pieces(lines))
    assert pieces == [lines[0] + lines[1], lines[2], lines[3]]


def test_a_reader_that_has_gone_costs_lines_alone(pipe: Pipe) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    lost_before = lines_lost()
    LogWriter(writing).write(b"one\ntwo\n")
    os.close(writing)
    assert lines_lost() == lost_before + 2


def test_an_open_file_that_another_one_made_non_blocking_loses_nothing(
    pipe: Pipe, writer: LogWriter
) -> None:
    os.set_blocking(pipe.writing, False)
    lines = numbered(200)
    for line in lines:
        writer.write(line)
    assert pipe.read_lines(200) == lines


def test_what_is_printed_takes_the_same_way(pipe: Pipe, writer: LogWriter) -> None:
    stream = LogStream(writer)
    print("a word of a library: \N{SNOWMAN} \udc80", file=stream)
    assert pipe.read_lines(1) == ["a word of a library: \N{SNOWMAN} \\udc80\n".encode()]
    assert stream.writable()
    assert stream.fileno() == 2
    assert stream.isatty() == os.isatty(2)
