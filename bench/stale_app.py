"""ragauth broken on purpose: a key's facts are believed for a second.

It shows that the revocation figure can be other than 0.
"""

import time
from typing import Any

from wsgi import app

_BELIEVED_SECONDS = 1.0


class StaleLookup:
    """A lookup that answers from memory what it has read a moment ago."""

    def __init__(self, lookup: Any) -> None:
        self._lookup = lookup
        self._remembered: dict[str, tuple[float, Any]] = {}

    def find_presented(self, presented_key: str) -> Any:
        """The key as it was up to a second ago."""
        now = time.monotonic()
        read_at, facts = self._remembered.get(presented_key, (0.0, None))
        if now - read_at > _BELIEVED_SECONDS:
            facts = self._lookup.find_presented(presented_key)
            self._remembered[presented_key] = now, facts
        return facts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lookup, name)


_checker = app.extensions["ragauth"].key_checker
# The checker is frozen; this is the one place that should be able to break it.
object.__setattr__(_checker, "lookup", StaleLookup(_checker.lookup))

__all__ = ["app"]
