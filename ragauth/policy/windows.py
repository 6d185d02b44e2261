"""Windows: for how long a limit counts before it begins again."""

import re
from dataclasses import dataclass
from functools import lru_cache

SHORTEST_MS = 100
LONGEST_MS = 30 * 86_400_000
#: Up to this length a limit is a rate, above it a quota: the two have different error codes.
LONGEST_RATE_MS = 3_600_000

_WORDS = {
    "minute": "a minute",
    "hour": "an hour",
    "day": "a day",
    "month": "a month",
    "total": "in all",
}
_OF_ANY_LENGTH = re.compile(r"([1-9][0-9]{0,9})(ms|s)")


@dataclass(frozen=True, slots=True)
class Window:
    """A window by its name in the contract: `minute`, `hour`, `10s`, `250ms`, `day`, `month`,
    `total`.

    `length_ms` is None for `day` and `month`, which follow the calendar (UTC), and for `total`,
    which never ends. A window with a length opens with the first thing that is counted in it.
    """

    name: str
    length_ms: int | None

    @property
    def in_words(self) -> str:
        """With an amount before it: "a minute", "in 10s", "in all"."""
        return _WORDS.get(self.name) or f"in {self.name}"

    @property
    def is_rate(self) -> bool:
        """Whether a client that waits a little may go on: up to an hour."""
        return self.length_ms is not None and self.length_ms <= LONGEST_RATE_MS


MINUTE = Window("minute", 60_000)
HOUR = Window("hour", 3_600_000)
DAY = Window("day", None)
MONTH = Window("month", None)
TOTAL = Window("total", None)
_NAMED = {window.name: window for window in (MINUTE, HOUR, DAY, MONTH, TOTAL)}
_BY_LENGTH = {window.length_ms: window for window in (MINUTE, HOUR)}


@lru_cache(maxsize=1024)
def read_window(text: str) -> Window:
    """The window of this name; each length has one name only, so `60s` is `minute`.

    Raises ValueError with a text for the user.
    """
    if (named := _NAMED.get(text)) is not None:
        return named
    found = _OF_ANY_LENGTH.fullmatch(text)
    length_ms = 0 if found is None else int(found[1]) * (1000 if found[2] == "s" else 1)
    if not SHORTEST_MS <= length_ms <= LONGEST_MS:
        raise ValueError(
            "Must be minute, hour, day, month, total, or a length from 100ms to 30 days,"
            " such as 10s or 250ms"
        )
    if length_ms in _BY_LENGTH:
        return _BY_LENGTH[length_ms]
    seconds, rest = divmod(length_ms, 1000)
    return Window(f"{length_ms}ms" if rest else f"{seconds}s", length_ms)
