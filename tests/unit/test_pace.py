"""When the polling thread answers key checks itself, and when it leaves them to the pool."""

from ragauth.server.pace import Pace


class TestPace:
    def test_short_waits_are_quick(self) -> None:
        pace = Pace()
        for second in range(100):
            pace.note(0.0001, float(second))
            assert pace.is_quick(float(second))

    def test_a_busy_machine_is_no_reason_to_stop(self) -> None:
        """Most answers wait for a core there, many of them in a row, but not all."""
        pace = Pace()
        for turn in range(10_000):
            pace.note(0.0001 if turn % 100 < 10 else 0.006, turn / 100)
            assert pace.is_quick(turn / 100)

    def test_a_database_far_away_is(self) -> None:
        """Also if some answers need no database."""
        pace = Pace()
        for turn in range(505):
            assert pace.is_quick(10.0)
            pace.note(0.0 if turn % 100 == 0 else 0.002, 10.0)
        pace.note(0.01, 10.0)
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
        for _ in range(20_000):
            pace.note(0.0001, 1000.0)
        pace.note(5.0, 2000.0)
        assert pace.is_quick(2001.1)


class TestALateCheck:
    """S47: the polling thread has given up on a check, and a thread of the pool answers it."""

    def test_the_pool_has_all_checks_until_it_has_answered_this_one(self) -> None:
        pace, late, another = Pace(), object(), object()
        pace.hand_over(late, 10.0)
        assert not pace.is_quick(11.9)
        pace.note_end(another, 11.9)
        assert not pace.is_quick(11.9)
        pace.note_end(late, 11.9)
        assert pace.is_quick(11.9)

    def test_the_pause_ends_if_nothing_is_heard_of_it(self) -> None:
        pace = Pace()
        pace.hand_over(object(), 10.0)
        assert not pace.is_quick(12.4)
        assert pace.is_quick(12.6)

    def test_a_single_one_costs_a_moment_however_many_there_were_before(self) -> None:
        pace = Pace()
        for second in range(100):
            pace.hand_over(pace, float(second))
            pace.note_end(pace, second + 0.01)
            assert not pace.is_quick(second + 0.04)
            assert pace.is_quick(second + 0.06)

    def test_while_each_check_is_late_the_polling_thread_waits_a_hundredth_of_its_time(
        self,
    ) -> None:
        pace = Pace()
        now, waited = 0.0, 0.0
        while now < 600.0:
            now, waited = now + 0.05, waited + 0.05
            pace.hand_over(pace, now)
            pace.note_end(pace, now + 0.01)
            while not pace.is_quick(now):
                now += 0.01
        assert 0 < waited < 0.015 * now

    def test_it_is_no_reason_to_think_that_a_database_far_away_is_near(self) -> None:
        pace = Pace()
        pace.hand_over(pace, 10.0)
        pace.note(5.0, 10.1)
        pace.note_end(pace, 10.1)
        assert not pace.is_quick(11.0)
        assert pace.is_quick(11.2)
