"""Answers of the polling thread: checks that have arrived together are answered together.

A round of checks has one read of the database and one step of the counters. Each check of a round
had arrived as a whole before that read began, so a key whose revocation was answered before is dead
in it.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from ragauth.deadlines import WouldWait
from ragauth.server.answers import run_application
from ragauth.server.connection import Connection
from ragauth.server.lines import Line
from ragauth.server.pace import Pace
from ragauth.server.plain_http import PlainRequest

# So that no client waits long for the others, and no other process for the counters.
_MOST_IN_ROUND = 32


def ask_alone(pace: Pace, application: Any, conn: Connection, plain: PlainRequest) -> Any:
    """The reply to one request, which the application answers alone; see `Rounds.replies`."""
    if not pace.is_quick(time.perf_counter()):
        return WouldWait(has_waited=False)
    started_at, worked_at = time.perf_counter(), time.thread_time()
    # A round may have read it.
    plain.environ["wsgi.input"].seek(0)
    try:
        return run_application(application, conn.environ | plain.environ)
    except WouldWait as error:
        _note_late(pace, conn, error)
        return error
    except Exception as error:
        return error
    finally:
        _note(pace, started_at, worked_at, 1)


class Rounds:
    """Checks that have arrived: each is the first request of what its connection has `waiting`."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._waiting: list[tuple[Connection, PlainRequest]] = []

    def join(self, conn: Connection, plain: PlainRequest) -> None:
        """Put a check off until `replies`; its connection is in no line, so that it stays open.

        Nothing else may be done with the connection then.
        """
        Line.leave(conn)
        conn.has_turn = True
        self._waiting.append((conn, plain))

    def longest_wait(self, timeout: float | None) -> float | None:
        """How many seconds the poller may wait instead of `timeout`, while checks wait."""
        return 0.0 if self._waiting else timeout

    def replies(self, application: Any) -> Iterator[tuple[Connection, PlainRequest, Any]]:
        """All that wait now, each with its reply.

        A reply is status, headers and body, or the error instead of it. WouldWait means that a
        thread of the pool must answer. Those that join meanwhile are left for the next call, after
        the poller has looked at its other clients: a connection may have sent a hundred checks.
        """
        left = len(self._waiting)
        while left > 0:
            due = self._waiting[: min(left, _MOST_IN_ROUND)]
            replies: Sequence[Any] = [WouldWait(has_waited=False)] * len(due)
            del self._waiting[: len(due)]
            left -= len(due)
            if self._pace.is_quick(time.perf_counter()):
                replies = self._ask_together(application, due)
            for (conn, plain), reply in zip(due, replies, strict=True):
                conn.has_turn = False
                if reply is None:  # It is not for the gate.
                    yield conn, plain, ask_alone(self._pace, application, conn, plain)
                else:
                    yield conn, plain, reply

    def _ask_together(
        self, application: Any, due: Sequence[tuple[Connection, PlainRequest]]
    ) -> Sequence[Any]:
        # With a wrapper around the application, which must see every request, there is none.
        answer_round = getattr(getattr(application, "wsgi_app", None), "answer_round", None)
        if answer_round is None:
            return [None] * len(due)
        environs = [conn.environ | plain.environ for conn, plain in due]
        started_at, worked_at = time.perf_counter(), time.thread_time()
        try:
            replies: Sequence[Any] = answer_round(environs)
        except Exception as error:
            replies = [error] * len(due)
        _note(self._pace, started_at, worked_at, len(due))
        for (conn, _), reply in zip(due, replies, strict=True):
            if isinstance(reply, WouldWait):
                # They have waited together: the pool's answer to one of them tells of all.
                _note_late(self._pace, conn, reply)
                break
        return replies


def _note_late(pace: Pace, conn: Connection, error: WouldWait) -> None:
    if error.has_waited:
        pace.hand_over(conn, time.perf_counter())


def _note(pace: Pace, started_at: float, worked_at: float, answers: int) -> None:
    now = time.perf_counter()
    pace.note(now - started_at - (time.thread_time() - worked_at), now, answers)
