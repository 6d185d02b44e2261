"""How the LMDB store writes its records.

Keys, all in the main tree so that one admission touches two neighbouring leaves:
  a + account + environment               the account's minute and its last two months
  a + account + environment + day + key   usage of a key on a day
  d + that key                            marks this usage as not saved yet
  m + account + environment + day + key + meter   what the key used of a meter on a day
  n + that key                            marks this use as not saved yet
  p + account + environment + owner + name    a tally of its last two periods
  q + account + environment + owner + name    a tally in its window
  w + bucket    a window                  l + name    a lease
  s    source id                          t    turn of standing in
  c    how far the wall clock was ahead of the monotonic one, and since when
  x + moment + key    the moment from which on the record of that key is not needed
  y + account + token    a reservation    z + account + name    an event that was reported

The version before this one knows a, d, w, l, s, t, c and reads nothing else, so that it may count
beside this one.
"""

import re
import struct

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
#: amount, released, changed since it was saved
METER = struct.Struct("<QQ?")
#: turn, newest period, its count, another period, its count, when it was last counted or seeded
PERIODS = struct.Struct("<IIQIQQ")
#: when it was opened, when it ends, its count
TALLY_WINDOW = struct.Struct("<QQQ")
#: When an event was counted.
EVENT = struct.Struct("<Q")
#: Big-endian, so that moments sort.
MOMENT = struct.Struct(">Q")
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
#: From here on in the order of keys, records are dropped at their moment.
FIRST_WITH_MOMENT = b"x"
ACCOUNT_KEY_BYTES = 18
USAGE_KEY_BYTES = 38


def layout_of(guard: bytes) -> int:
    """The layout number at the beginning of a guard file, 0 if there is none."""
    found = _LAYOUT.match(guard)
    return int(found[1]) if found else 0
