"""How tallies, uses and reservations are told to the scripts, and how their answers are read."""

from collections.abc import Mapping, Sequence

from ragauth.counters.interface import Charge, Count, Settled, Tally, Use


def tally_name(member: str, tally: Tally) -> str:
    """A tally's name in Redis; `member` is the account with its environment."""
    name = f"{member}:{tally.owner.hex()}:{tally.name.decode()}"
    return name if tally.length_ms else f"{name}:{tally.period}"


def tallies_text(member: str, tallies: Sequence[Tally], charge: Charge | None = None) -> str:
    """Tallies as scripts read them; those that the reservation of a charge is to be settled in."""
    settled: Mapping[bytes, int] = {}
    if charge is not None and charge.reserve is not None:
        used = dict(charge.uses)
        settled = {meter: used.get(meter, 0) for meter, _amount in charge.reserve.uses}
    lines = []
    for tally in tallies:
        owner, name, meter, length_ms, period, size, amount = tally
        by = meter.decode() if settled.get(meter) == amount else "-"
        of_period = "" if length_ms else f":{period}"
        lines.append(
            f"{length_ms} {size} {amount} {by} {member}:{owner.hex()}:{name.decode()}{of_period}"
        )
    return "\n".join(lines)


def uses_text(uses: Sequence[Use]) -> str:
    """Uses as scripts read them."""
    return "\n".join([f"{meter.decode()} {amount}" for meter, amount in uses])


def reservation_arguments(charge: Charge) -> tuple[str, ...]:
    """The reservation of a charge, if it has one: name, end, uses."""
    reserve = charge.reserve
    if reserve is None:
        return ()
    name = reservation_name(charge.account, reserve.token)
    return name, str(reserve.ends_at_ms), uses_text(reserve.uses)


def reservation_name(account: bytes, token: bytes) -> str:
    return f"{account.hex()}:{token.hex()}"


def token_of(name: bytes) -> bytes:
    """The token of a reservation, of which this is the name."""
    return bytes.fromhex(name.rpartition(b":")[2].decode())


def counts_of(told: bytes) -> tuple[Count, ...]:
    """Read used and end of each tally."""
    numbers = map(int, told.split())
    return tuple(map(Count._make, zip(numbers, numbers, strict=True)))


def settled_of(reply: Sequence[bytes], given: Mapping[bytes, int]) -> Settled:
    """Read the answer of `SETTLE`."""
    outcome = reply[0].decode()
    if outcome not in ("settled", "no_meter"):
        return Settled(outcome)  # type: ignore[arg-type]
    reserved = [line.split(b" ") for line in reply[1].split(b"\n") if line]
    if outcome == "no_meter":
        known = {meter for meter, _amount in reserved}
        return Settled("no_meter", tuple(Use(*use) for use in given.items() if use[0] not in known))
    used = [Use(meter, given.get(meter, 0)) for meter, _amount in reserved]
    released = [Use(meter, max(0, int(amount) - given.get(meter, 0))) for meter, amount in reserved]
    return Settled("settled", tuple(used), tuple(released))
