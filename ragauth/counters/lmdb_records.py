"""How the LMDB store writes its records.

Keys, all in the main tree so that one admission touches two neighbouring leaves:
  a + account + environment               the account's minute and its last two months
  a + account + environment + day + key   usage of a key on a day
  d + that key                            marks this usage as not saved yet
  w + bucket    a window                  l + name    a lease
  s    source id                          t    turn of standing in
  c    how far the wall clock was ahead of the monotonic one, and since when
"""

import re
import struct

from ragauth.counters.interface import Window, settle_window

#: Add one with every change below. A file of an older layout is deleted, a newer one is refused.
LAYOUT_NUMBER = 1
_LAYOUT = re.compile(rb"ragauth counters ([0-9]{1,9})\n")
LAYOUT = b"ragauth counters %d\n" % LAYOUT_NUMBER

#: turn, minute ends, minute used, newest month, its units, another month, its units
ACCOUNT = struct.Struct("<IQQIQIQ")
#: requests, units, last used, changed since it was saved
USAGE = struct.Struct("<QQQ?")
#: Big-endian, so that days sort.
DAY = struct.Struct(">I")
WINDOW = struct.Struct("<QQ")
LEASE = struct.Struct("<Q")
#: Turn of standing in (see `LmdbCounters.begin_turn`), monotonic ms of its last use.
TURN = struct.Struct("<IQ")

#: Wall clock minus monotonic clock, and the monotonic time since which that holds; milliseconds.
CLOCK = struct.Struct("<qQ")

SOURCE_KEY = b"s"
CLOCK_KEY = b"c"
TURN_KEY = b"t"
ENVIRONMENT_BYTES = (b"\0", b"\1")
ACCOUNT_KEY_BYTES = 18
USAGE_KEY_BYTES = 38


def read_window(record: bytes | None, window_ms: int, now_ms: int) -> Window:
    """Return the window of a record, or an unused one if it is over."""
    if record is not None:
        ends, count = WINDOW.unpack(record)
        ends, count = settle_window(ends, count, window_ms, now_ms)
        return Window(count, ends)
    return Window(0, now_ms + window_ms)


def layout_of(guard: bytes) -> int:
    """The layout number at the beginning of a guard file, 0 if there is none."""
    found = _LAYOUT.match(guard)
    return int(found[1]) if found else 0
