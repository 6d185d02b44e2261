"""Limits: how much of a meter may be used in a window."""

from dataclasses import dataclass

from ragauth.policy.windows import TOTAL, Window

#: The meter that always is: each allowed check counts there.
REQUESTS = "requests"
#: The greatest amount and size.
LARGEST = 10**12
MOST_LIMITS = 10

ALWAYS = "always"
NAMED = "named"


@dataclass(frozen=True, slots=True)
class Limit:
    """`size` of `meter` in `window`.

    Only a key's limit may have a name. With `applies` = "named" it counts only for checks that
    name it. A key's requests in all, a day or a month may be of credits: what is left of them can
    be set, raised and lowered while checks count (see `services.keys.allowances`).
    """

    meter: str
    window: Window
    size: int
    name: str | None = None
    applies: str = ALWAYS
    is_of_credits: bool = False

    @property
    def in_words(self) -> str:
        """As people read it: "10 requests a minute", "5,000 tokens in all"."""
        return f"{self.size:,} {self.meter} {self.window.in_words}"

    @property
    def full_name(self) -> str:
        """As errors call it: `requests_per_minute`, `tokens_per_10s`, `requests_total`."""
        return f"{self.meter}_{'' if self.window == TOTAL else 'per_'}{self.window.name}"
