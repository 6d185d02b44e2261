"""Writes log lines to standard error without making callers wait: a queue and a thread a process.

A write to standard error may block: a pipe whose reader has stopped, a file on a disk that hangs. A
serving thread puts its line into the queue and continues; only the writer waits. When the queue is
full, lines are lost and counted. Commands write at once, because no client waits for them.
"""

import atexit
import io
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue

from ragauth.metrics import LOG_LINES_LOST

STANDARD_ERROR = 2

#: How many lines may wait in one process; most have about 300 bytes.
MOST_LINES = 8192
# The kernel does not mix what several processes write into one pipe, up to this size (pipe(7)).
_WHOLE_BYTES = select.PIPE_BUF
# A line that follows another within this time waits for more lines. They share one write and one
# wake-up of the thread, which takes the GIL from the thread that answers. Any other line is written
# at once.
_SOON_SECONDS = 0.005
_GATHERING_SECONDS = 0.01
_LAST_LINES_SECONDS = 1.0
_LAST = b""

log = logging.getLogger("ragauth")


class LogWriter:
    """Writes lines to a file descriptor: in the caller's thread, or after `start` in its own."""

    def __init__(self, descriptor: int = STANDARD_ERROR) -> None:
        self._descriptor = descriptor
        self._has_thread = False
        self._is_closed = False
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def start(self) -> None:
        """From now on no caller waits, in this process and in those forked from it."""
        if not self._has_thread:
            self._has_thread = True
            atexit.register(self.stop)

    def write(self, line: bytes) -> None:
        """Queue one whole line with its line end; safe in a signal handler."""
        if not self._has_thread:
            self._write_out(line)
            return
        if self._lines.qsize() >= MOST_LINES or self._is_closed:
            self._lose(1)
            return
        try:
            # SimpleQueue's `put` may be interrupted by itself; a lock or a Condition may not.
            self._lines.put(line)
            if self._thread is None:
                self._run()
        except (MemoryError, RuntimeError):
            # No memory for the line, or for a thread.
            self._lose(1)

    def stop(self) -> None:
        """Give the last lines a moment to be written; later lines are written at once, or lost."""
        thread = self._thread
        if thread is not None:
            self._lines.put(_LAST)
            thread.join(_LAST_LINES_SECONDS)
            self._is_closed = thread.is_alive()
        self._has_thread = self._is_closed

    def _begin(self) -> None:
        """Begin with an empty queue and no thread; a forked child must not use its parent's."""
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._lost = 0

    def _run(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._write_on, args=(self._lines,), name="log", daemon=True
                )
                self._thread.start()

    def _write_on(self, lines: "SimpleQueue[bytes]") -> None:
        is_last = False
        written_at = 0.0
        while not is_last:
            waiting = [lines.get()]
            if time.monotonic() - written_at < _SOON_SECONDS:
                time.sleep(_GATHERING_SECONDS)
            with suppress(Empty):
                while len(waiting) < MOST_LINES:
                    waiting.append(lines.get_nowait())
            is_last = _LAST in waiting
            for piece in _whole_pieces(waiting):
                self._write_out(piece)
            written_at = time.monotonic()

    def _write_out(self, piece: bytes) -> None:
        left = memoryview(piece)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                # Another process set the shared open file to non-blocking.
                select.select((), (self._descriptor,), ())
            except OSError:
                # The log's reader is gone, or its disk is full: the loss is counted and logged
                # later.
                self._lose(piece.count(b"\n"))
                return
        if self._lost:
            self._tell_lost()

    def _lose(self, lines: int) -> None:
        with self._starting:
            self._lost += lines
        for _ in range(lines):
            LOG_LINES_LOST.count()

    def _tell_lost(self) -> None:
        """Log how many lines were lost, when writing works again; this line may be lost too."""
        with self._starting:
            lost, self._lost = self._lost, 0
        log.warning("lines of the log were lost", extra={"lines": lost, "pid": os.getpid()})


def _whole_pieces(lines: list[bytes]) -> Iterator[bytes]:
    """Join the lines into pieces that one write keeps together."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        if size + len(line) > _WHOLE_BYTES and piece:
            yield b"".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    yield b"".join(piece)


class LogStream(io.TextIOBase):
    """The writer as a text stream, for `logging` and whatever prints to `sys.stderr`."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer

    def write(self, text: str) -> int:
        if text:
            self._writer.write(text.encode(self.encoding, self.errors))
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return STANDARD_ERROR

    def isatty(self) -> bool:
        return os.isatty(STANDARD_ERROR)


log_writer = LogWriter()
log_stream = LogStream(log_writer)


def log_without_waiting() -> None:
    """For a server: no thread waits for what it logs, prints or warns of."""
    log_writer.start()
    sys.stderr = log_stream
