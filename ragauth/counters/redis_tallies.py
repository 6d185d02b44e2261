"""How tallies, uses and reservations are told to the scripts, and how their answers are read."""

from collections.abc import Mapping, Sequence

from ragauth.counters.interface import Charge, Count, Settled, Tally, Use

Argument = str | bytes | int


def tally_name(member: str, tally: Tally) -> str:
    """A tally's name in Redis; `member` is the account with its environment."""
    name = f"{member}:{tally.owner.hex()}:{tally.name.decode()}"
    return name if tally.length_ms else f"{name}:{tally.period}"


def tally_arguments(member: str, tallies: Sequence[Tally]) -> list[Argument]:
    """How many there are, and each."""
    arguments: list[Argument] = [len(tallies)]
    for tally in tallies:
        arguments += (tally_name(member, tally), tally.length_ms, tally.size, tally.amount)
    return arguments


def use_arguments(uses: Sequence[Use]) -> list[Argument]:
    """How many there are, and each."""
    arguments: list[Argument] = [len(uses)]
    for use in uses:
        arguments += use
    return arguments


def reservation_arguments(charge: Charge) -> list[Argument]:
    """The reservation of a charge, if it has one; see `ADMIT_WITH_TALLIES`."""
    reserve = charge.reserve
    if reserve is None:
        return []
    reserved = {meter for meter, _amount in reserve.uses}
    used = dict(charge.uses)
    return [
        reservation_name(charge.account, reserve.token),
        reserve.ends_at_ms,
        *use_arguments(reserve.uses),
        *(
            tally.meter
            if tally.meter in reserved and tally.amount == used.get(tally.meter, 0)
            else b""
            for tally in charge.tallies
        ),
    ]


def reservation_name(account: bytes, token: bytes) -> str:
    return f"{account.hex()}:{token.hex()}"


def counts_of(numbers: Sequence[int]) -> tuple[Count, ...]:
    """Read used and end of each tally."""
    return tuple(Count(*each) for each in zip(numbers[::2], numbers[1::2], strict=True))


def settled_of(reply: Sequence[bytes], given: Mapping[bytes, int]) -> Settled:
    """Read the answer of `SETTLE`."""
    outcome = reply[0].decode()
    if outcome != "settled":
        return Settled(outcome)  # type: ignore[arg-type]
    reserved = [line.split(b" ") for line in reply[1].split(b"\n") if line]
    used = [Use(meter, given.get(meter, 0)) for meter, _amount in reserved]
    released = [Use(meter, max(0, int(amount) - given.get(meter, 0))) for meter, amount in reserved]
    return Settled("settled", tuple(used), tuple(released))
