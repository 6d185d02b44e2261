"""When the polling thread answers key checks itself, and when it leaves them to the pool."""

from ragauth.server.pace import Pace


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

    def test_a_check_that_was_handed_over_stops_it_for_a_while(self) -> None:
        """S47: each time longer, until checks are quick again."""
        pace = Pace()
        pace.stop(10.0)
        assert not pace.is_quick(10.9)
        assert pace.is_quick(11.1)
        pace.stop(20.0)
        assert not pace.is_quick(21.9)
