"""Buckets: rate limits that a service of the operator's asks for by name, for anything it likes.

They have nothing to do with keys and accounts, and end by themselves.
"""

import hashlib
from dataclasses import dataclass

from ragauth import clock
from ragauth.counters import CountersUnavailable
from ragauth.services.limits.limits import current_limits, unavailable


@dataclass(frozen=True, slots=True)
class Bucket:
    """At most `size` in windows of `length_ms`, for each identifier in a namespace.

    A window opens with the first thing that is counted in it. The same identifier with another
    length is another bucket; with another size it is the same one.
    """

    namespace: str
    identifier: str
    size: int
    length_ms: int

    @property
    def name(self) -> bytes:
        """Its name in the counters, which holds no customer's name in clear."""
        namespace = self.namespace.encode("utf-8", "surrogatepass")
        identifier = self.identifier.encode("utf-8", "surrogatepass")
        # With its length first, no namespace goes on in an identifier.
        named = b"%d:%b%d:%b" % (len(namespace), namespace, self.length_ms, identifier)
        return b"bucket:" + hashlib.sha256(named).digest()


@dataclass(frozen=True, slots=True)
class BucketState:
    """Whether the cost was counted, what is left, and when the window is over (Unix ms)."""

    is_allowed: bool
    remaining: int
    resets_at_ms: int


def take(bucket: Bucket, cost: int = 1) -> BucketState:
    """Count the cost if all of it fits, else nothing of it.

    Exactly: of any number at once, in all processes, no more than the size gets through. A cost of
    0 asks without counting. Raises ExternalServiceUnavailable if no counter answers.
    """
    counters, now_ms = current_limits().counters, clock.now_ns() // 1_000_000
    try:
        taken = counters.take(bucket.name, bucket.length_ms, now_ms, cost, bucket.size)
    except CountersUnavailable as error:
        raise unavailable(error) from error
    count, resets_at_ms = taken.window.count, taken.window.resets_at_ms
    return BucketState(taken.is_taken, max(0, bucket.size - count), resets_at_ms)
