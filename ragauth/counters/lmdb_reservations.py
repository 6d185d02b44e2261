"""Reservations and reported events in the LMDB file."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ragauth.counters import lmdb_tallies, lmdb_usage
from ragauth.counters.interface import (
    EVENT_KEPT_MS,
    RESERVATION_KEPT_MS,
    Charge,
    Count,
    Report,
    Reserve,
    Settled,
    Use,
    bounded_name,
)
from ragauth.counters.lmdb_file import Txn
from ragauth.counters.lmdb_records import DAY, ENVIRONMENT_BYTES, EVENT, MOMENT
from ragauth.counters.lmdb_tallies import Found


def make(txn: Txn, charge: Charge, reserve: Reserve, found: Sequence[Found]) -> None:
    """Keep a reservation; `found` are the charge's tallies as they stood before it.

    It names each tally that it is counted in: its meter, its record, and which window or period.
    """
    reserved = {meter for meter, _amount in reserve.uses}
    used = dict(charge.uses)
    tallies = []
    for each, tally in zip(found, charge.tallies, strict=True):
        if tally.meter not in reserved or tally.amount != used.get(tally.meter, 0):
            continue
        begun = each.opened_ms or (charge.now_ms if tally.amount else 0)
        if begun or not tally.length_ms:
            tallies.append(
                (
                    tally.meter.decode(),
                    each.record_key.hex(),
                    tally.length_ms,
                    begun if tally.length_ms else tally.period,
                )
            )
    of_day = _of_day(charge.account, charge.environment, charge.day, charge.key)
    key = b"y" + charge.account + reserve.token
    kept = {
        "ends": reserve.ends_at_ms,
        "uses": _amounts(reserve.uses),
        "of_day": of_day.hex(),
        "tallies": tallies,
    }
    txn.put(key, _write(kept))
    _end_at(txn, key, reserve.ends_at_ms + RESERVATION_KEPT_MS)


def settle(
    txn: Txn, account: bytes, token: bytes, uses: Sequence[Use], now_ms: int, turn: int
) -> Settled:
    """Settle a reservation; see `Counters.settle`."""
    key = b"y" + account + token
    record = txn.get(key)
    if record is None:
        return Settled("unknown")
    kept: dict[str, Any] = json.loads(record)
    if now_ms >= kept["ends"] + RESERVATION_KEPT_MS:
        return Settled("unknown")
    reserved: dict[str, int] = kept["uses"]
    given = _amounts(uses)
    if others := tuple(use for use in uses if use.meter.decode() not in reserved):
        return Settled("no_meter", others)
    used = {meter: given.get(meter, 0) for meter in reserved}
    if (settled := kept.get("settled")) is not None:
        return _settled(reserved, used) if settled == used else Settled("other_amount")
    if now_ms >= kept["ends"]:
        return Settled("over")
    of_day = bytes.fromhex(kept["of_day"])
    for meter, amount in used.items():
        if more := amount - reserved[meter]:
            lmdb_usage.add(txn, b"m" + of_day + meter.encode(), max(0, more), max(0, -more))
    for meter, record_key, length_ms, window in kept["tallies"]:
        more = used[meter] - reserved[meter]
        of_tally = bytes.fromhex(record_key)
        if more and length_ms:
            lmdb_tallies.adjust_window(txn, of_tally, window, length_ms, more, now_ms)
        elif more:
            lmdb_tallies.adjust_period(txn, of_tally, window, more, turn, now_ms)
    txn.put(key, _write({"ends": kept["ends"], "uses": reserved, "settled": used}))
    return _settled(reserved, used)


def is_known(txn: Txn, report: Report) -> bool:
    """Whether the event was counted within `EVENT_KEPT_MS`."""
    record = txn.get(_event_key(report))
    return record is not None and not _has_ended(record, report.now_ms)


def count_report(txn: Txn, report: Report, found: Sequence[Found], turn: int) -> tuple[Count, ...]:
    """Count a report whose event is not known; returns the counts after it."""
    tallies = [
        tally if _counts_in(each, report.at_ms, tally.length_ms) else tally._replace(amount=0)
        for each, tally in zip(found, report.tallies, strict=True)
    ]
    counts = lmdb_tallies.count(txn, found, tallies, turn, report.now_ms)
    of_day = _of_day(report.account, report.environment, report.day, report.key)
    lmdb_usage.add_uses(txn, of_day, report.uses)
    key = _event_key(report)
    txn.put(key, EVENT.pack(report.now_ms))
    _end_at(txn, key, report.now_ms + EVENT_KEPT_MS)
    return counts


def drop_ended(txn: Txn, now_ms: int, limit: int) -> int:
    """Drop up to `limit` reservations and events that ended; returns how many were looked at."""
    cursor = txn.cursor()
    cursor.set_range(b"x")
    looked_at = 0
    while looked_at < limit and (entry := cursor.key())[:1] == b"x":
        if MOMENT.unpack_from(entry, 1)[0] > now_ms:
            break
        key = entry[1 + MOMENT.size :]
        record = txn.get(key)
        # An event that was reported again since then has a later end, and an entry for it.
        if record is not None and not (key[:1] == b"z" and not _has_ended(record, now_ms)):
            txn.delete(key)
        cursor.delete()
        looked_at += 1
    return looked_at


def _has_ended(event: bytes, now_ms: int) -> bool:
    return bool(now_ms >= EVENT.unpack(event)[0] + EVENT_KEPT_MS)


def _counts_in(found: Found, at_ms: int, length_ms: int) -> bool:
    """Whether something that was used then counts: a window must have been open."""
    return not length_ms or 0 < found.opened_ms <= at_ms < found.ends_ms


def _settled(reserved: Mapping[str, int], used: Mapping[str, int]) -> Settled:
    return Settled(
        "settled",
        tuple(Use(meter.encode(), amount) for meter, amount in used.items()),
        tuple(
            Use(meter.encode(), max(0, amount - used[meter])) for meter, amount in reserved.items()
        ),
    )


def _amounts(uses: Sequence[Use]) -> dict[str, int]:
    return {meter.decode(): amount for meter, amount in uses}


def _of_day(account: bytes, environment: int, day: int, key: bytes) -> bytes:
    return account + ENVIRONMENT_BYTES[environment] + DAY.pack(day) + key


def _event_key(report: Report) -> bytes:
    return b"z" + report.account + bounded_name(report.event)


def _end_at(txn: Txn, key: bytes, moment_ms: int) -> None:
    txn.put(b"x" + MOMENT.pack(moment_ms) + key, b"")


def _write(kept: dict[str, Any]) -> bytes:
    return json.dumps(kept, separators=(",", ":")).encode()
