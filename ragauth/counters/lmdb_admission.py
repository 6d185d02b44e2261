"""A charge in the LMDB file: counted if all limits allow it."""

from typing import Literal

from ragauth.counters import lmdb_reservations, lmdb_tallies, lmdb_usage
from ragauth.counters.interface import MINUTE_MS, SKEW_MS, Admission, Charge, Count
from ragauth.counters.lmdb_file import LmdbFile, Txn
from ragauth.counters.lmdb_records import ACCOUNT, DAY, ENVIRONMENT_BYTES, USAGE
from ragauth.counters.periods import settle_window

_LONGEST_MINUTE_MS = MINUTE_MS + SKEW_MS
_new_tuple = tuple.__new__
_pack_account = ACCOUNT.pack
_unpack_account = ACCOUNT.unpack
_pack_usage = USAGE.pack
_unpack_usage = USAGE.unpack
_pack_day = DAY.pack


def admit(txn: Txn, charge: Charge, file: LmdbFile) -> Admission | None:
    """See `Counters.admit`."""
    # Written out in one piece: each call and each closure would add noticeably to the cost of a
    # check.
    (account, key, environment, minute_limit, month_limit, cost, month, day, now_ms,
     tallies, uses, reserve) = charge  # fmt: skip
    account_key = b"a" + account + ENVIRONMENT_BYTES[environment]
    record = txn.get(account_key)
    if record is None:
        return None
    turn, ends, used, newest, newest_units, older, older_units = _unpack_account(record)
    if turn != file.turn:
        return None
    if month == newest:
        spent = newest_units
    elif month == older:
        spent = older_units
    else:
        return None
    found: list[lmdb_tallies.Found] | None = None
    if tallies:
        found = lmdb_tallies.look_up(txn, account_key[1:], tallies, turn, now_ms)
        if found is None:
            return None
    if not 0 < ends - now_ms <= _LONGEST_MINUTE_MS:
        ends, used = settle_window(ends, used, MINUTE_MS, now_ms)
        if used:
            # Store the settled window even if the answer is a refusal: it ends a minute
            # from now.
            txn.put(
                account_key,
                _pack_account(turn, ends, used, newest, newest_units, older, older_units),
            )
    refused_by: Literal["minute", "month", "tally"] | None = None
    if spent + cost > month_limit:
        refused_by = "month"
    elif used >= minute_limit:
        refused_by = "minute"
    elif found and not lmdb_tallies.fit(found, tallies):
        refused_by = "tally"
    if refused_by is not None:
        lmdb_tallies.keep_shortened(txn, found or ())
        stand = lmdb_tallies.as_they_stand(found or ())
        return Admission(refused_by, used, ends, spent, stand)
    used += 1
    spent += cost
    if month == newest:
        newest_units = spent
    else:
        older_units = spent
    usage_key = account_key + _pack_day(day) + key
    usage = txn.get(usage_key)
    if usage is None:
        txn.put(usage_key, _pack_usage(1, cost, now_ms, True))
        txn.put(b"d" + usage_key, b"")
    else:
        requests, units, last_used_ms, changed = _unpack_usage(usage)
        if last_used_ms < now_ms:
            last_used_ms = now_ms
        txn.put(usage_key, _pack_usage(requests + 1, units + cost, last_used_ms, True))
        if not changed:
            txn.put(b"d" + usage_key, b"")
    txn.put(
        account_key,
        _pack_account(turn, ends, used, newest, newest_units, older, older_units),
    )
    counts: tuple[Count, ...] = ()
    kept_by, token = "", b""
    if found:
        counts = lmdb_tallies.count(txn, found, tallies, turn, now_ms)
    if uses:
        lmdb_usage.add_uses(txn, usage_key[1:], uses)
    if reserve is not None:
        lmdb_reservations.make(txn, charge, reserve, found or ())
        kept_by, token = file.store_name, reserve.token
    # Half the cost of Admission(…), whose __new__ is written in Python.
    return _new_tuple(Admission, (None, used, ends, spent, counts, kept_by, token))
