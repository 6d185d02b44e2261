"""Whose limits must be looked at now: an account far below its limits is looked at once a minute.

A look asks the counters, perhaps over a network, and thousands of accounts are saved each turn.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ragauth import clock
from ragauth.counters import ChangedRow, UsageRow
from ragauth.policy import REQUESTS

#: An account in an environment, as in a row of usage.
Counted = tuple[bytes, int]

_EVERY_SECONDS = 60.0
# What was used since a look is at most the whole of the rows that have changed since then. Rows
# that another process saved are not seen here: so there must be room for several times as much.
_ROOM = 4
# Half a kilobyte each. Further accounts are looked at whenever they are saved.
_MOST_REMEMBERED = 20_000


@dataclass(slots=True)
class _Look:
    """When it was, how much of each meter was left, and whether more has been used since."""

    at: float
    left: Mapping[str, int]
    is_out_of_date: bool = False


class Looks:
    """Remembers the last minute's looks of one thread."""

    def __init__(self) -> None:
        # The oldest first.
        self._looks: dict[Counted, _Look] = {}

    def find_due(self, rows: Sequence[ChangedRow]) -> set[Counted]:
        """Those to look at now.

        Of these rows whoever is not known, or may be near a limit; and whoever was left out since
        its last look, a minute ago.
        """
        now = clock.monotonic()
        due = set()
        for counted, totals in _totals(rows).items():
            look = self._looks.get(counted)
            if look is None or any(
                _ROOM * total >= look.left.get(meter, math.inf) for meter, total in totals.items()
            ):
                due.add(counted)
            else:
                look.is_out_of_date = True
        for counted, look in list(self._looks.items()):
            if now - look.at < _EVERY_SECONDS:
                break
            if look.is_out_of_date:
                due.add(counted)
            elif counted not in due:
                del self._looks[counted]
        return due

    def find_left_out(self) -> set[Counted]:
        """Whoever has used more since its last look."""
        return {counted for counted, look in self._looks.items() if look.is_out_of_date}

    def note(self, looked_at: Iterable[Counted], left: Mapping[Counted, Mapping[str, int]]) -> None:
        """Remember looks that have just been: `left` is what may be used before the next notice."""
        now = clock.monotonic()
        for counted in looked_at:
            self._looks.pop(counted, None)
            if len(self._looks) < _MOST_REMEMBERED:
                self._looks[counted] = _Look(now, left.get(counted, {}))


def counted_in(rows: Sequence[ChangedRow]) -> Collection[Counted]:
    return {(row.account, row.environment) for row in rows}


def _totals(rows: Sequence[ChangedRow]) -> Mapping[Counted, Mapping[str, int]]:
    totals: dict[Counted, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        of_account = totals[row.account, row.environment]
        if isinstance(row, UsageRow):
            of_account[REQUESTS] += row.units
        else:
            of_account[row.meter] += row.amount
    return totals
