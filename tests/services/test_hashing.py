"""The hashing gate: a flood of logins finds no place and is told so, without a wait."""

import os
import threading
from concurrent.futures import FIRST_COMPLETED, wait

import pytest

from ragauth.errors import RateLimitExceeded, TooManyHashes
from ragauth.services.accounts.hashing_gate import PLACES, HashingGate, Share, share_of
from tests.cases import for_each
from tests.factories.hashing import slow_hashes

ANYONE = Share("192.0.2.0/24", "anyone")
GREEDY = Share("198.51.100.0/24", "greedy")
MODEST = Share("203.0.113.0/24", "modest")
OTHERS = [Share(f"10.0.{number}.0/24", f"other {number}") for number in range(PLACES)]


def test_the_result_comes_from_a_thread_that_yields_to_others() -> None:
    """S10: a hash yields to what checks keys."""

    def where() -> tuple[str, int]:
        priority = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return threading.current_thread().name, priority

    name, priority = HashingGate().run(where, ANYONE)
    assert name.startswith("hashing")
    assert priority > os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_what_finds_no_place_is_refused_at_once_and_told_when_to_come_back() -> None:
    """S10: hashing has bounded places."""
    gate = HashingGate()
    with slow_hashes(gate, *OTHERS) as waiting:
        assert not gate.has_place_for(MODEST)
        with pytest.raises(RateLimitExceeded) as refusal:
            gate.run(lambda: pytest.fail("a login too many was hashed"), MODEST)
        assert refusal.value.headers["Retry-After"] == "1"
    assert waiting.hashed == OTHERS
    assert gate.run(lambda: "room again", ANYONE) == "room again"


def test_a_failing_hash_gives_its_place_back() -> None:
    gate = HashingGate(places=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            gate.run(lambda: 1 // 0, ANYONE)
    assert gate.free_places == 1


def test_a_child_process_has_places_and_a_thread_of_its_own() -> None:
    gate = HashingGate(places=1)
    gate.run(lambda: None, ANYONE)
    child = os.fork()
    if child == 0:
        os._exit(0 if gate.run(lambda: 7, ANYONE) == 7 else 1)
    assert os.waitpid(child, 0)[1] == 0


class TestShares:
    """S43: who holds more of the places gives one up to who holds less."""

    @pytest.mark.parametrize(
        "greedy",
        [
            pytest.param([GREEDY] * PLACES, id="one account at one network"),
            pytest.param(
                [GREEDY._replace(account=f"account {n}") for n in range(PLACES)],
                id="many accounts at one network",
            ),
            pytest.param(
                [GREEDY._replace(network=f"10.0.{n}.0/24") for n in range(PLACES)],
                id="one account at many networks",
            ),
        ],
    )
    def test_a_newcomer_takes_a_place_of_who_holds_them_all(self, greedy: list[Share]) -> None:
        """S43: and is the next to be hashed."""
        gate = HashingGate()
        with slow_hashes(gate, greedy[0]) as hashes:
            flood = [hashes.add(share) for share in greedy[1:]]
            assert gate.has_place_for(MODEST)
            modest = hashes.add(MODEST)
            [displaced] = wait(flood, 10, FIRST_COMPLETED).done
            assert isinstance(displaced.exception(), TooManyHashes)
            hashes.end_all()
            modest.result(10)
        assert hashes.hashed == [greedy[0], MODEST, greedy[2]]

    def test_another_account_takes_a_place_of_a_flood_at_its_own_network(self) -> None:
        """S43: behind one address too nobody is kept out by the account of another."""
        gate = HashingGate()
        with slow_hashes(gate, *[GREEDY] * PLACES) as hashes:
            hashes.add(GREEDY._replace(account="modest"))
        assert [share.account for share in hashes.hashed] == ["greedy", "modest", "greedy"]

    def test_a_flood_takes_no_place_of_others(self) -> None:
        """S43: its own newcomers find none, however many they are."""
        gate = HashingGate()
        with slow_hashes(gate, GREEDY, GREEDY, MODEST) as hashes:
            for _ in range(10):
                assert not gate.has_place_for(GREEDY)
                with pytest.raises(TooManyHashes):
                    hashes.add(GREEDY).result(10)
        assert hashes.hashed == [GREEDY, GREEDY, MODEST]

    def test_of_two_that_hold_as_much_the_one_that_had_more_gives_way(self) -> None:
        """S43: an account that asks again and again, one hash at a time."""
        gate = HashingGate()
        modest, newcomer = OTHERS[:2]
        with slow_hashes(gate, GREEDY, GREEDY) as hashes:
            hashes.end_one()
            hashes.add(MODEST)
            hashes.end_one()
            hashes.add(modest)
            often = hashes.add(GREEDY)
            assert not often.done()
            hashes.add(newcomer)
            assert isinstance(often.exception(10), TooManyHashes)
        assert hashes.hashed == [GREEDY, GREEDY, MODEST, modest, newcomer]

    def test_what_nobody_waited_for_is_forgotten(self) -> None:
        """S43: an hour of logins alone is no use that another had to wait for."""
        gate = HashingGate()
        for _ in range(20):
            gate.run(lambda: None, MODEST)
        with slow_hashes(gate, *OTHERS):
            assert gate._use.of(MODEST) == ((0, 0), (0, 0))


class TestNetworks:
    @for_each(
        ("one", "other"),
        [
            ("192.0.2.1", "192.0.2.254"),
            ("192.0.2.1", "::ffff:192.0.2.9"),
            ("2001:db8::1", "2001:db8::ffff:1:2:3"),
            ("fe80::1%eth0", "fe80::2"),
            (None, "an address that is none"),
        ],
    )
    def test_neighbours_are_one(self, one: str | None, other: str | None) -> None:
        """S43: an IPv4 /24, an IPv6 /64, and all without an address."""
        assert share_of(one, "a") == share_of(other, "a")

    @pytest.mark.parametrize(
        ("one", "other"),
        [("192.0.2.1", "192.0.3.1"), ("2001:db8::1", "2001:db8:0:1::1"), (None, "192.0.2.1")],
    )
    def test_others_are_not(self, one: str | None, other: str | None) -> None:
        assert share_of(one, "a") != share_of(other, "a")
