"""Reserving and settling: what was too much is given back, what was too little is counted."""

import pytest

from ragauth.counters import Admission, Count, Counters, MeterRow, Reserve, Settled, Tally, Use
from tests.counters.questions import (
    ACCOUNT,
    MONTH,
    NOW,
    ask,
    in_period,
    in_window,
    seed,
    seed_tallies,
)

TOKEN = bytes(range(50, 66))
END = NOW + 900_000
DAY_MS = 86_400_000
TOTAL = in_period(400, period=0, size=1_000)


@pytest.fixture(autouse=True)
def seeded(counters: Counters) -> None:
    seed(counters)
    seed_tallies(counters, TOTAL)


def reserve(
    counters: Counters,
    *tallies: Tally,
    tokens: int = 400,
    used: int = 0,
    token: bytes = TOKEN,
    now_ms: int = NOW,
) -> Admission:
    answer = ask(
        counters,
        tallies=tallies,
        uses=(Use(b"tokens", tokens + used),),
        reserve=Reserve(token, END, (Use(b"tokens", tokens),)),
        now_ms=now_ms,
    )
    assert answer is not None
    return answer


def settle(
    counters: Counters, store: str, *, now_ms: int = NOW + 1, token: bytes = TOKEN, **used: int
) -> Settled:
    uses = tuple(Use(meter.encode(), amount) for meter, amount in used.items())
    return counters.settle(ACCOUNT, token, uses, now_ms, store)


def settled(used: int, released: int) -> Settled:
    return Settled("settled", (Use(b"tokens", used),), (Use(b"tokens", released),))


def counted(counters: Counters, *tallies: Tally, now_ms: int = NOW + 1) -> list[int]:
    peek = counters.peek(ACCOUNT, 0, MONTH, now_ms, tallies)
    assert peek is not None
    return [count.used for count in peek.counts]


def saved_use(counters: Counters) -> tuple[int, int]:
    [row] = [row for row in counters.changed_usage_of(ACCOUNT) if isinstance(row, MeterRow)]
    return row.amount, row.released


def test_what_was_too_much_is_given_back(counters: Counters) -> None:
    tallies = (TOTAL, in_window(400, size=1_000))
    answer = reserve(counters, *tallies)
    assert answer.refused_by is None
    assert settle(counters, answer.store, tokens=150) == settled(150, 250)
    assert counted(counters, *tallies) == [150, 150]
    assert saved_use(counters) == (400, 250)


def test_what_was_too_little_is_counted_past_the_size(counters: Counters) -> None:
    answer = reserve(counters, TOTAL)
    assert settle(counters, answer.store, tokens=1_200) == settled(1_200, 0)
    assert counted(counters, TOTAL) == [1_200]
    assert saved_use(counters) == (1_200, 0)


def test_only_what_was_reserved_is_settled(counters: Counters) -> None:
    total = TOTAL._replace(amount=430)
    answer = reserve(counters, total, used=30)
    assert settle(counters, answer.store, tokens=100) == settled(100, 300)
    assert counted(counters, total) == [130]
    assert saved_use(counters) == (430, 300)


def test_a_meter_that_is_left_out_was_not_used(counters: Counters) -> None:
    answer = reserve(counters, TOTAL)
    assert settle(counters, answer.store) == settled(0, 400)
    assert settle(counters, answer.store, tokens=0) == settled(0, 400)
    assert counted(counters, TOTAL) == [0]


def test_the_same_again_has_the_same_answer_and_another_amount_has_not(
    counters: Counters,
) -> None:
    answer = reserve(counters, TOTAL)
    assert settle(counters, answer.store, tokens=150) == settled(150, 250)
    assert settle(counters, answer.store, tokens=151) == Settled("other_amount")
    assert settle(counters, answer.store, tokens=150, now_ms=END + 5) == settled(150, 250)
    assert counted(counters, TOTAL) == [150]
    assert saved_use(counters) == (400, 250)


def test_the_end_is_exact(counters: Counters) -> None:
    answer = reserve(counters, TOTAL)
    store = answer.store
    reserve(counters, TOTAL, token=b"t" * 16)
    assert settle(counters, store, tokens=1, now_ms=END) == Settled("over")
    assert settle(counters, store, tokens=1, now_ms=END + DAY_MS - 1) == Settled("over")
    assert settle(counters, store, tokens=1, now_ms=END + DAY_MS) == Settled("unknown")
    assert counted(counters, TOTAL) == [800]
    assert settle(counters, store, tokens=1, now_ms=END - 1) == settled(1, 399)


def test_another_meter_changes_nothing(counters: Counters) -> None:
    answer = reserve(counters, TOTAL)
    pages, gold = Use(b"pages", 1), Use(b"gold", 0)
    assert settle(counters, answer.store, pages=1) == Settled("no_meter", (pages,))
    both = settle(counters, answer.store, pages=1, tokens=1, gold=0)
    assert both == Settled("no_meter", (pages, gold))
    assert settle(counters, answer.store, tokens=1) == settled(1, 399)
    assert settle(counters, answer.store, tokens=1, pages=1) == Settled("no_meter", (pages,))


def test_what_was_never_reserved_is_unknown(counters: Counters) -> None:
    answer = reserve(counters, TOTAL)
    assert settle(counters, answer.store, token=b"?" * 16) == Settled("unknown")
    assert settle(counters, "another", tokens=1) == Settled("unknown")
    other = counters.settle(b"o" * 16, TOKEN, (), NOW, answer.store)
    assert other == Settled("unknown")


def test_a_refused_request_reserves_nothing(counters: Counters) -> None:
    refused = reserve(counters, TOTAL._replace(size=399))
    assert (refused.refused_by, refused.store) == ("tally", "")
    for store in ("r", reserve(counters, token=b"t" * 16).store):
        assert settle(counters, store) == Settled("unknown")


def test_a_window_that_is_over_by_now_is_left_as_it_is(counters: Counters) -> None:
    window = in_window(400, size=1_000)
    answer = reserve(counters, window)
    later = NOW + 10_000
    ask(counters, tallies=(window._replace(amount=7),), now_ms=later)
    assert settle(counters, answer.store, tokens=150, now_ms=later + 1) == settled(150, 250)
    assert counted(counters, window, now_ms=later + 1) == [7]
    assert saved_use(counters) == (400, 250)


def test_a_window_that_was_shortened_is_still_the_same(counters: Counters) -> None:
    """S49: after a step of the clock it is given back where it was counted."""
    window = in_window(400, size=1_000)
    answer = reserve(counters, window, now_ms=NOW + 600_000)
    assert settle(counters, answer.store, tokens=150) == settled(150, 250)
    peek = counters.peek(ACCOUNT, 0, MONTH, NOW + 2, (window,))
    assert peek is not None
    assert peek.counts == (Count(150, NOW + 1 + 10_000),)


def test_a_window_keeps_its_end_when_all_is_given_back(counters: Counters) -> None:
    window = in_window(400, size=1_000)
    settle(counters, reserve(counters, window).store)
    answer = ask(counters, tallies=(window,), now_ms=NOW + 5)
    assert answer is not None
    assert answer.counts == (Count(400, NOW + 10_000),)


def test_a_limit_with_a_price_of_its_own_is_not_settled(counters: Counters) -> None:
    priced = in_window(5, size=1_000)
    requests = in_window(1, meter=b"requests")
    answer = reserve(counters, TOTAL, priced, requests)
    settle(counters, answer.store, tokens=150)
    assert counted(counters, TOTAL, priced, requests) == [150, 5, 1]


def test_several_meters_are_settled_each_by_its_amount(counters: Counters) -> None:
    pages = in_period(9, period=0, meter=b"pages")
    seed_tallies(counters, pages)
    uses = (Use(b"tokens", 400), Use(b"pages", 9))
    answer = ask(counters, tallies=(TOTAL, pages), uses=uses, reserve=Reserve(TOKEN, END, uses))
    assert answer is not None
    assert settle(counters, answer.store, pages=11, tokens=400) == Settled(
        "settled", (Use(b"tokens", 400), Use(b"pages", 11)), (Use(b"tokens", 0), Use(b"pages", 0))
    )
    assert counted(counters, TOTAL, pages) == [400, 11]


def test_a_reservation_outlives_what_opened_the_store(counters: Counters) -> None:
    """S49"""
    answer = reserve(counters, TOTAL)
    counters.close()
    assert settle(counters, answer.store, tokens=150) == settled(150, 250)
