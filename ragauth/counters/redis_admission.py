"""A charge as a script of Redis is asked for it, and as the script answers."""

from typing import Any, Literal

from ragauth.counters import redis_scripts as scripts
from ragauth.counters import redis_tallies
from ragauth.counters import redis_tally_scripts as tally_scripts
from ragauth.counters.interface import MINUTE_MS, SKEW_MS, Admission, Charge

#: Tells that a reservation is in Redis and not in the file of a host.
STORE_NAME = "r"
ENVIRONMENT_ENDINGS = (":0", ":1")

_LONGEST_MINUTE_MS = MINUTE_MS + SKEW_MS
_REFUSALS: tuple[Literal["minute", "month", "tally"] | None, ...] = (
    None,
    "minute",
    "month",
    "tally",
)


def question(charge: Charge) -> tuple[scripts.Script, tuple[str | int, ...]]:
    """The script, and its arguments."""
    member = charge.account.hex() + ENVIRONMENT_ENDINGS[charge.environment]
    arguments = (
        member,
        f"{charge.day}:{member}:{charge.key.hex()}",
        charge.minute_limit,
        charge.month_limit,
        charge.cost,
        charge.month,
        charge.now_ms,
        charge.now_ms + MINUTE_MS,
        _LONGEST_MINUTE_MS,
    )
    if _is_plain(charge):
        return scripts.ADMIT, arguments
    more = (
        redis_tallies.tallies_text(member, charge.tallies, charge),
        redis_tallies.uses_text(charge.uses),
        *redis_tallies.reservation_arguments(charge),
    )
    return tally_scripts.ADMIT_WITH_TALLIES, arguments + more


def answer(charge: Charge, reply: Any) -> Admission | None:
    """What the script's reply means."""
    if reply is None:
        return None
    if _is_plain(charge):
        verdict, minute_used, ends, month_used = reply
        return Admission(_REFUSALS[verdict], minute_used, ends, month_used)
    verdict, minute_used, ends, month_used, told, *reserved = reply
    numbers = (_REFUSALS[verdict], minute_used, ends, month_used)
    counts = redis_tallies.counts_of(told)
    if not reserved:
        return Admission(*numbers, counts)
    return Admission(*numbers, counts, STORE_NAME, redis_tallies.token_of(reserved[0]))


def _is_plain(charge: Charge) -> bool:
    """Whether it has nothing beside the account's minute and month."""
    return not (charge.tallies or charge.uses or charge.reserve)
