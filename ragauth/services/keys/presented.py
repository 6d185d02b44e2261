"""The key that a text is: for its holder's routes, operators' commands and reports of leaks."""

import uuid

from ragauth.extensions import current
from ragauth.models.reads.keys import KeyFacts, KeyLookup


def find_presented(presented_key: str) -> KeyFacts | None:
    """The key that a text is, live or not, as the check finds it; outside any transaction.

    Raises ExternalServiceUnavailable.
    """
    return current_lookup().find_presented(presented_key)


def find_presented_id(presented_key: str) -> uuid.UUID | None:
    key = find_presented(presented_key)
    return None if key is None else uuid.UUID(bytes=key.id)


def current_lookup() -> KeyLookup:
    """The look-up of the running application."""
    lookup: KeyLookup = current().key_checker.lookup
    return lookup
