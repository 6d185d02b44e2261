"""General windows in the LMDB file: what is counted under any name, for so many milliseconds."""

from ragauth.counters.interface import Taken, Window, bounded_name
from ragauth.counters.lmdb_file import Txn
from ragauth.counters.lmdb_records import WINDOW
from ragauth.counters.periods import settle_window


def hit(txn: Txn, bucket: bytes, window_ms: int, now_ms: int, amount: int) -> Window:
    name = _name(bucket)
    window = _stored(txn.get(name), window_ms, now_ms)
    window = Window(max(0, window.count + amount), window.resets_at_ms)
    txn.put(name, WINDOW.pack(window.resets_at_ms, window.count))
    return window


def take(txn: Txn, bucket: bytes, window_ms: int, now_ms: int, amount: int, size: int) -> Taken:
    window = read(txn, bucket, window_ms, now_ms)
    if window.count + amount > size:
        return Taken(False, window)
    if amount:
        window = hit(txn, bucket, window_ms, now_ms, amount)
    return Taken(True, window)


def read(txn: Txn, bucket: bytes, window_ms: int, now_ms: int) -> Window:
    name = _name(bucket)
    record = txn.get(name)
    window = _stored(record, window_ms, now_ms)
    # Store a window that was shortened: refused requests only read it, and a flood of them must
    # not postpone its end for ever.
    if window.count and record != (packed := WINDOW.pack(window.resets_at_ms, window.count)):
        txn.put(name, packed)
    return window


def clear(txn: Txn, bucket: bytes) -> None:
    txn.delete(_name(bucket))


def _name(bucket: bytes) -> bytes:
    return b"w" + bounded_name(bucket)


def _stored(record: bytes | None, window_ms: int, now_ms: int) -> Window:
    """The window of a record, or an unused one if it is over."""
    if record is not None:
        ends, count = WINDOW.unpack(record)
        ends, count = settle_window(ends, count, window_ms, now_ms)
        return Window(count, ends)
    return Window(0, now_ms + window_ms)
