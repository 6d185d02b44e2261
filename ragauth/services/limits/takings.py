"""What a check takes of the limits that apply to it, as the counters are asked for it."""

from collections.abc import Mapping
from typing import NamedTuple

from ragauth.counters import Tally, Use
from ragauth.services.limits.applied import OF_ACCOUNT, AppliedLimit, AppliedLimits
from ragauth.services.limits.spans import Span

# Half the cost of calling Tally(…), whose __new__ is written in Python.
_new_tuple = tuple.__new__


class Amounts(NamedTuple):
    """What a check takes beside its cost.

    `use` and `reserve` are amounts by meter, each meter once. `named` are names of limits, each
    once, with what the check takes of it; None is what it would take anyway.
    """

    use: tuple[tuple[str, int], ...] = ()
    reserve: tuple[tuple[str, int], ...] = ()
    named: tuple[tuple[str, int | None], ...] = ()


class Owners(NamedTuple):
    """Whose counts a check adds to, each 16 bytes: the account, and the key that counts.

    `key` is the key itself, or the one whose counts it goes on with.
    """

    account: bytes
    key: bytes


def find_told(applied: AppliedLimits, amounts: Amounts | None) -> tuple[AppliedLimit, ...]:
    """The limits that apply to a check: those of each check, and those that this one names.

    A name that the key has no limit of applies to nothing: keys differ, and a gateway asks the
    same of all.
    """
    if amounts is None or not amounts.named or not applied.named:
        return applied.others
    names = {name for name, _ in amounts.named}
    return applied.others + tuple(one for one in applied.named if one.limit.name in names)


def uses_of(amounts: Amounts) -> dict[str, int]:
    """What is used of each meter, the reserved amounts included."""
    uses = dict(amounts.use)
    for meter, amount in amounts.reserve:
        uses[meter] = uses.get(meter, 0) + amount
    return uses


def tallies_of(
    told: tuple[AppliedLimit, ...],
    owners: Owners,
    span: Span,
    *,
    cost: int = 0,
    is_request: bool = True,
    uses: Mapping[str, int] | None = None,
    named: Mapping[str, int | None] | None = None,
) -> tuple[Tally, ...]:
    """A tally for each limit, in their order.

    A request takes its cost of requests in the calendar and in all, 1 in other windows, and of
    other meters what it uses; what it names for a limit replaces all that.
    """
    uses, named = uses or {}, named or {}
    one_request = int(is_request)
    return tuple(
        _new_tuple(
            Tally,
            (
                owners.account if one.of == OF_ACCOUNT else owners.key,
                one.tally_name,
                one.meter,
                one.length_ms,
                one.period(span),
                one.limit.size,
                _amount(one, cost, one_request, uses, named),
            ),
        )
        for one in told
    )


def _amount(
    one: AppliedLimit,
    cost: int,
    one_request: int,
    uses: Mapping[str, int],
    named: Mapping[str, int | None],
) -> int:
    if named and one.limit.name is not None:
        own = named.get(one.limit.name)
        if own is not None:
            return own
    if one.takes_cost:
        return cost
    return one_request if one.takes_one else uses.get(one.limit.meter, 0)


def encode_uses(uses: Mapping[str, int]) -> tuple[Use, ...]:
    return tuple(Use(meter.encode(), amount) for meter, amount in uses.items())
