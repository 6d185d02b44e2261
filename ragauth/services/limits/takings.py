"""What a check takes of the limits that apply to it, as the counters are asked for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ragauth.counters import Tally, Use
from ragauth.services.limits.applied import AppliedLimit, AppliedLimits
from ragauth.services.limits.spans import Span

_new_tuple = tuple.__new__
_NOTHING: Mapping[str, int] = {}


def encode_uses(uses: Mapping[str, int]) -> tuple[Use, ...]:
    return tuple(Use(meter.encode(), amount) for meter, amount in uses.items())


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a check takes beside its cost.

    `use` and `reserve` are amounts by meter, each meter once. `named` are names of limits, each
    once, with what the check takes of it; None is what it would take anyway. The others follow from
    these: a gateway asks the same again and again, so they are made once.
    """

    use: tuple[tuple[str, int], ...] = ()
    reserve: tuple[tuple[str, int], ...] = ()
    named: tuple[tuple[str, int | None], ...] = ()
    by_meter: Mapping[str, int] = field(init=False, repr=False, compare=False)
    uses: tuple[Use, ...] = field(init=False, repr=False, compare=False)
    reserved: tuple[Use, ...] = field(init=False, repr=False, compare=False)
    names: frozenset[str] = field(init=False, repr=False, compare=False)
    costs: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_meter = dict(self.use)
        for meter, amount in self.reserve:
            by_meter[meter] = by_meter.get(meter, 0) + amount
        costs = {name: cost for name, cost in self.named if cost is not None}
        object.__setattr__(self, "by_meter", by_meter)
        object.__setattr__(self, "uses", encode_uses(by_meter))
        object.__setattr__(self, "reserved", encode_uses(dict(self.reserve)))
        object.__setattr__(self, "names", frozenset(name for name, _ in self.named))
        object.__setattr__(self, "costs", costs)


NO_AMOUNTS = Amounts()


class Owners(NamedTuple):
    """Whose counts a check adds to, each 16 bytes: the account, and the key that counts.

    `key` is the key itself, or the one whose counts it goes on with.
    """

    account: bytes
    key: bytes


def find_told(applied: AppliedLimits, names: frozenset[str]) -> tuple[AppliedLimit, ...]:
    """The limits that apply to a check: those of each check, and those of these names.

    A name that the key has no limit of applies to nothing: keys differ, and a gateway asks the
    same of all.
    """
    if not names or not applied.named:
        return applied.others
    return applied.others + tuple(one for one in applied.named if one.limit.name in names)


def tallies_of(
    told: tuple[AppliedLimit, ...],
    owners: Owners,
    span: Span,
    *,
    cost: int = 0,
    of_one: int = 0,
    by_meter: Mapping[str, int] = _NOTHING,
    costs: Mapping[str, int] = _NOTHING,
) -> tuple[Tally, ...]:
    """A tally for each limit, in their order.

    A check takes its cost of requests in the calendar and in all, `of_one` of requests in other
    windows, and of other meters what it uses; `costs` by the limits' names replace all that.
    """
    # One tuple is unpacked for each limit: attributes would cost twice as much.
    amounts = (cost, of_one)
    periods = (0, span.day, span.month)
    tallies = []
    for one in told:
        owner, name, meter, length_ms, period, size, takes = one.parts
        amount = by_meter.get(one.limit.meter, 0) if takes is None else amounts[takes]
        if costs and one.limit.name is not None:
            amount = costs.get(one.limit.name, amount)
        tallies.append(
            _new_tuple(
                Tally, (owners[owner], name, meter, length_ms, periods[period], size, amount)
            )
        )
    return tuple(tallies)
