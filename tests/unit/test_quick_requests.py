"""Which requests the polling thread answers itself, and when it leaves them to the pool."""

import pytest

from ragauth.web.quick_requests import Pace, is_whole_check, is_whole_login

HOST = b"Host: ragauth.test\r\n"
END = b"\r\n"


class TestWholeChecks:
    @pytest.mark.parametrize(
        "data",
        [
            b"GET /api/v1/authorize HTTP/1.1\r\n" + HOST + END,
            b"GET /api/v1/authorize?scope=query HTTP/1.1\r\n" + HOST + END,
            b"DELETE /api/v1/authorize/any/path HTTP/1.1\r\n" + HOST + END,
            b"POST /api/v1/authorize HTTP/1.1\r\ncontent-length: 0\r\n" + END,
            b"POST /api/v1/keys/verify HTTP/1.1\r\nContent-Length: 2\r\n" + END + b"{}",
            b"POST /api/v1/keys/verify/ HTTP/1.1\r\ncontent-length:2\r\n" + END + b"{}GET /",
        ],
    )
    def test_a_check_that_is_there_as_a_whole_is_one(self, data: bytes) -> None:
        assert is_whole_check(data)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"GET /api/v1/auth",
            b"GET /api/v1/authorize HTTP/1.1\r\n" + HOST,
            b"POST /api/v1/authorize HTTP/1.1\r\nContent-Length: 5\r\n" + END + b"hello",
            b"POST /api/v1/authorize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
            + END
            + b"0\r\n\r\n",
            b"POST /api/v1/authorize HTTP/1.1\r\nExpect: 100-continue\r\n" + END,
            b"POST /api/v1/keys/verify HTTP/1.1\r\nContent-Length: 3\r\n" + END + b"{}",
            b"POST /api/v1/keys/verify HTTP/1.1\r\nContent-Length: 99999999999\r\n" + END,
            b"POST /api/v1/keys/verify HTTP/1.1\r\n" + HOST + END,
            b"GET /api/v1/keys/verify HTTP/1.1\r\nContent-Length: 0\r\n" + END,
            b"GET /api/v1/authorized HTTP/1.1\r\n" + HOST + END,
            b"GET /api/v1/me HTTP/1.1\r\n" + HOST + END,
            b"POST /api/auth/login HTTP/1.1\r\nContent-Length: 2\r\n" + END + b"{}",
        ],
    )
    def test_anything_else_is_not(self, data: bytes) -> None:
        assert not is_whole_check(data)


class TestWholeLogins:
    def test_a_login_with_its_body_is_one(self) -> None:
        assert is_whole_login(b"POST /api/auth/login HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")

    @pytest.mark.parametrize(
        "data",
        [
            b"POST /api/auth/login HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}",
            b"POST /api/auth/login?x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
            b"POST /api/auth/login/mfa HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
            b"POST /api/auth/login HTTP/1.1\r\nOrigin: null\r\nContent-Length: 2\r\n\r\n{}",
        ],
        ids=["in pieces", "with a query", "the second step", "from a page"],
    )
    def test_anything_else_is_not(self, data: bytes) -> None:
        assert not is_whole_login(data)


class TestPace:
    def test_short_waits_are_quick(self) -> None:
        pace = Pace()
        for second in range(100):
            pace.note(0.0001, float(second))
            assert pace.is_quick(float(second))

    def test_a_busy_machine_is_no_reason_to_stop(self) -> None:
        """Of several waits the shortest counts: the others are those for a core."""
        pace = Pace()
        for second in range(100):
            pace.note(0.0001 if second % 10 == 0 else 0.05, float(second))
            assert pace.is_quick(float(second))

    def test_a_database_far_away_is(self) -> None:
        pace = Pace()
        for _ in range(32):
            assert pace.is_quick(10.0)
            pace.note(0.002, 10.0)
        assert not pace.is_quick(10.9)
        assert pace.is_quick(11.1)

    def test_the_pause_doubles_while_checks_stay_slow_and_ends_at_a_minute(self) -> None:
        pace = Pace()
        now, pauses = 0.0, []
        for _ in range(8):
            pace.note(5.0, now)
            begun = now
            while not pace.is_quick(now):
                now += 0.5
            pauses.append(now - begun)
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]

    def test_it_is_short_again_once_they_are_quick(self) -> None:
        pace = Pace()
        for _ in range(5):
            pace.note(5.0, 0.0)
        for _ in range(64):
            pace.note(0.0001, 1000.0)
        pace.note(5.0, 2000.0)
        assert pace.is_quick(2001.1)
