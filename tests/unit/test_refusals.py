"""Refused logins wait for their turn: checks come first, and have most of the thread's time."""

from types import SimpleNamespace
from typing import Any

import pytest

from ragauth.server import refusals
from ragauth.server.refusals import Refusals


class Poller:
    """A line of refusals, by a clock of the test's; each refusal takes two seconds at first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.takes = 2.0
        self.refused: list[Any] = []
        self.line = Refusals()
        monkeypatch.setattr(refusals, "time", SimpleNamespace(monotonic=lambda: self.now))

    def come(self, *names: str) -> list[Any]:
        connections: list[Any] = [SimpleNamespace(name=name) for name in names]
        assert all(self.line.puts_off(connection) for connection in connections)
        return connections

    def turn(self) -> list[str]:
        """The end of a round of events."""
        self.line.take(self._refuse)
        return [connection.name for connection in self.refused]

    def _refuse(self, connection: Any) -> None:
        assert not self.line.puts_off(connection)
        self.now += self.takes
        self.refused.append(connection)


@pytest.fixture
def poller(monkeypatch: pytest.MonkeyPatch) -> Poller:
    return Poller(monkeypatch)


def test_a_round_refuses_one_at_most(poller: Poller) -> None:
    poller.come("first", "second")
    assert poller.turn() == ["first"]


def test_a_quarter_of_the_time_goes_to_refusals(poller: Poller) -> None:
    poller.come("first", "second")
    poller.turn()
    poller.now += 5.9
    assert poller.turn() == ["first"]
    poller.now += 0.2
    assert poller.turn() == ["first", "second"]


def test_the_poller_wakes_for_the_next_one(poller: Poller) -> None:
    assert poller.line.longest_wait(1.0) == 1.0
    poller.come("first", "second")
    assert poller.line.longest_wait(1.0) == 0
    poller.turn()
    assert poller.line.longest_wait(10.0) == 6
    assert poller.line.longest_wait(1.0) == 1
    poller.now += 7
    assert poller.line.longest_wait(None) == 0


def test_a_flood_is_refused_a_hundred_times_a_second(poller: Poller) -> None:
    poller.takes = 0.0001
    poller.come(*"12345678")
    poller.turn()
    assert poller.line.longest_wait(1.0) == pytest.approx(0.01)
    for _ in range(100):
        poller.now += 0.01
        poller.come("another")
        poller.turn()
        poller.turn()
    assert len(poller.refused) == 1 + 100


def test_of_many_each_is_refused_within_a_second(poller: Poller) -> None:
    poller.takes = 0.0001
    came = poller.come(*map(str, range(1000)))
    began_at = poller.now
    while len(poller.refused) < len(came):
        poller.now += poller.line.longest_wait(1.0) or 0
        poller.turn()
    assert poller.now - began_at < 1
    assert poller.refused == came


def test_one_that_was_refused_waits_again_with_its_next_login(poller: Poller) -> None:
    (connection,) = poller.come("first")
    poller.turn()
    assert poller.line.puts_off(connection)
