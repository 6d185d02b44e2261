"""Tallies, reservations and reports in plain Python: what any store must answer.

The model keeps what was used in rows, and windows with a length. Each count of a day, a month or a
total is the sum of its rows: that is what makes every lost or doubled count visible.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from ragauth.counters import (
    Admission,
    ChangedRow,
    Charge,
    Count,
    MeterRow,
    Report,
    Reported,
    Settled,
    Tally,
    UsageRow,
    Use,
)

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SKEW_MS = 10_000


class RowName(NamedTuple):
    source: str
    key: bytes
    day: int
    meter: bytes


#: What was counted, and what of it was given back; of `requests` their units.
Rows = dict[RowName, tuple[int, int]]


def day_of(ms: int) -> int:
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.year * 10_000 + moment.month * 100 + moment.day


def rows_of(changed: list[ChangedRow]) -> Rows:
    rows: Rows = {}
    for row in changed:
        if isinstance(row, UsageRow):
            rows[RowName(row.source_id, row.key, row.day, b"requests")] = (row.units, 0)
        else:
            assert isinstance(row, MeterRow)
            name = RowName(row.source_id, row.key, row.day, row.meter.encode())
            rows[name] = (row.amount, row.released)
    return rows


def merged(rows: Rows, others: Rows) -> Rows:
    """Of each row the larger totals, as the database keeps them."""
    result = dict(rows)
    for name, totals in others.items():
        known = result.get(name, (0, 0))
        result[name] = (max(known[0], totals[0]), max(known[1], totals[1]))
    return result


def used_in(rows: Rows, tally: Tally, account: bytes) -> int:
    """What the rows say of a tally with a period."""
    return sum(
        amount - released
        for (_source, key, day, meter), (amount, released) in rows.items()
        if meter == tally.meter
        and tally.owner in (account, key)
        and tally.period in (0, day // 100, day)
    )


@dataclass
class OpenWindow:
    opened_ms: int
    ends_ms: int
    used: int


@dataclass
class Reservation:
    row: RowName
    ends_ms: int
    uses: dict[bytes, int]
    windows: list[tuple[bytes, bytes, int]]
    settled: dict[bytes, int] | None = None


@dataclass
class Model:
    account: bytes
    source: str
    rows: Rows = field(default_factory=dict)
    windows: dict[tuple[bytes, bytes], OpenWindow] = field(default_factory=dict)
    reservations: dict[bytes, Reservation] = field(default_factory=dict)
    events: dict[bytes, int] = field(default_factory=dict)

    def admit(self, charge: Charge) -> Admission:
        minute = self._minute(charge)
        month = Tally(self.account, b"", b"requests", 0, charge.month, charge.month_limit, 0)
        spent = used_in(self.rows, month, self.account)
        counts = [self._count(tally, charge.now_ms) for tally in charge.tallies]
        refused_by = None
        if spent + charge.cost > charge.month_limit:
            refused_by = "month"
        elif minute.used >= charge.minute_limit:
            refused_by = "minute"
        elif any(
            count.used + tally.amount > tally.size
            for count, tally in zip(counts, charge.tallies, strict=True)
        ):
            refused_by = "tally"
        ends_ms = minute.ends_ms
        if refused_by is not None:
            # What was shortened stays so: a flood of refusals must not postpone its end.
            if minute.opened_ms:
                self.windows[self.account, b"minute"] = minute
            for tally in charge.tallies:
                self._shorten(tally, charge.now_ms)
            return Admission(refused_by, minute.used, ends_ms, spent, tuple(counts))
        self._add_to_window((self.account, b"minute"), 60_000, 1, charge.now_ms)
        row = RowName(self.source, charge.key, charge.day, b"requests")
        self._add(row, charge.cost, 0)
        for meter, amount in charge.uses:
            self._add(row._replace(meter=meter), amount, 0)
        counts = [self._take(tally, tally.amount, charge.now_ms) for tally in charge.tallies]
        token = b""
        if charge.reserve is not None:
            token = charge.reserve.token
            reserved = dict(charge.reserve.uses)
            windows = [
                (tally.owner, tally.name, window.opened_ms)
                for tally in charge.tallies
                if tally.meter in reserved
                and tally.length_ms
                and (window := self._open(tally, charge.now_ms)) is not None
            ]
            self.reservations[token] = Reservation(
                row, charge.reserve.ends_at_ms, reserved, windows
            )
        return Admission(
            None, minute.used + 1, ends_ms, spent + charge.cost, tuple(counts), "", token
        )

    def settle(self, token: bytes, uses: tuple[Use, ...], now_ms: int) -> Settled:
        kept = self.reservations.get(token)
        if kept is None or now_ms >= kept.ends_ms + DAY_MS:
            return Settled("unknown")
        given = dict(uses)
        if others := tuple(use for use in uses if use.meter not in kept.uses):
            return Settled("no_meter", others)
        used = {meter: given.get(meter, 0) for meter in kept.uses}
        if kept.settled is not None and kept.settled != used:
            return Settled("other_amount")
        if kept.settled is None and now_ms >= kept.ends_ms:
            return Settled("over")
        released = {meter: max(0, kept.uses[meter] - used[meter]) for meter in used}
        if kept.settled is None:
            kept.settled = used
            for meter, amount in used.items():
                more = amount - kept.uses[meter]
                row = kept.row._replace(source=self.source, meter=meter)
                self._add(row, max(0, more), max(0, -more))
                for owner, name, opened_ms in kept.windows if more else ():
                    self._adjust(owner, name, opened_ms, meter, more, now_ms)
        return Settled(
            "settled",
            tuple(Use(*each) for each in used.items()),
            tuple(Use(*each) for each in released.items()),
        )

    def report(self, report: Report) -> Reported:
        counted_ms = self.events.get(report.event)
        if counted_ms is not None and report.now_ms < counted_ms + 2 * DAY_MS:
            return Reported(True, ())
        self.events[report.event] = report.now_ms
        row = RowName(self.source, report.key, report.day, b"")
        for meter, amount in report.uses:
            self._add(row._replace(meter=meter), amount, 0)
        return Reported(False, tuple(self._take_report(tally, report) for tally in report.tallies))

    def lose(self, saved: Rows, source: str) -> None:
        """The store is lost: what was saved is what there is, and a new source begins."""
        self.rows = dict(saved)
        self.windows = {}
        self.reservations = {}
        self.events = {}
        self.source = source

    def _add(self, row: RowName, amount: int, released: int) -> None:
        known = self.rows.get(row, (0, 0))
        if amount or released or row.meter == b"requests":
            self.rows[row] = (known[0] + amount, known[1] + released)

    def _minute(self, charge: Charge) -> OpenWindow:
        return self._settled((self.account, b"minute"), 60_000, charge.now_ms)

    def _settled(self, name: tuple[bytes, bytes], length_ms: int, now_ms: int) -> OpenWindow:
        """A window as it stands; its count is kept where the clock was stepped back."""
        known = self.windows.get(name)
        if known is None or known.ends_ms <= now_ms:
            return OpenWindow(0, now_ms + length_ms, 0)
        if known.ends_ms - now_ms > length_ms + SKEW_MS:
            return OpenWindow(known.opened_ms, now_ms + length_ms, known.used)
        return OpenWindow(known.opened_ms, known.ends_ms, known.used)

    def _open(self, tally: Tally, now_ms: int) -> OpenWindow | None:
        window = self._settled((tally.owner, tally.name), tally.length_ms, now_ms)
        return window if window.opened_ms else None

    def _count(self, tally: Tally, now_ms: int) -> Count:
        if not tally.length_ms:
            return Count(used_in(self.rows, tally, self.account), 0)
        window = self._settled((tally.owner, tally.name), tally.length_ms, now_ms)
        return Count(window.used, window.ends_ms)

    def _shorten(self, tally: Tally, now_ms: int) -> None:
        if tally.length_ms and (window := self._open(tally, now_ms)) is not None:
            self.windows[tally.owner, tally.name] = window

    def _take(self, tally: Tally, amount: int, now_ms: int) -> Count:
        """Count in a window; the rows have counted for all periods already."""
        if tally.length_ms:
            self._shorten(tally, now_ms)
            self._add_to_window((tally.owner, tally.name), tally.length_ms, amount, now_ms)
        return self._count(tally, now_ms)

    def _take_report(self, tally: Tally, report: Report) -> Count:
        window = self._open(tally, report.now_ms) if tally.length_ms else None
        counts = window is not None and window.opened_ms <= report.at_ms < window.ends_ms
        return self._take(tally, tally.amount if counts else 0, report.now_ms)

    def _add_to_window(
        self, name: tuple[bytes, bytes], length_ms: int, amount: int, now_ms: int
    ) -> None:
        if amount:
            window = self._settled(name, length_ms, now_ms)
            opened_ms = window.opened_ms or now_ms
            self.windows[name] = OpenWindow(opened_ms, window.ends_ms, window.used + amount)

    def _adjust(
        self, owner: bytes, name: bytes, opened_ms: int, meter: bytes, more: int, now_ms: int
    ) -> None:
        length_ms = int(name.split(b"/")[1])
        if not name.startswith(meter + b"/"):
            return
        window = self._settled((owner, name), length_ms, now_ms)
        if window.opened_ms == opened_ms:
            window.used = max(0, window.used + more)
            self.windows[owner, name] = window
