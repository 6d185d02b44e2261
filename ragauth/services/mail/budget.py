"""How many mails one address gets, all causes together.

The recipient is the address in its canonical form. The mail sender counts them, in the background
and outside any transaction: a mail that was rolled back is not counted, and neither an answer nor
its time reveals how many mails an address got. Reset mails have a budget of their own, so that
neither kind can use up the other's. While no counter answers, mail waits.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ragauth import clock
from ragauth.security.emails import canonical_email
from ragauth.services.limits.throttle import Throttle

RESET_LIFETIME = timedelta(minutes=30)

_HOUR = 3600
_MAILS_PER_HOUR = 10
_RESETS_OF_AN_HOUR = 2
# Shorter than a token's life, so that the next mail comes before the last token expires; the
# difference is the time that a mail may take.
_RESET_EVERY = RESET_LIFETIME - timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class ResetPlace:
    """A place for a reset mail: taken now (`is_taken`), or else the next one to become free."""

    throttle: Throttle
    is_taken: bool
    free_at: datetime

    def give_back(self) -> None:
        """Free the place, because no mail was queued."""
        # Clear it instead of counting down: the window would stay open, and end too soon for the
        # next mail.
        if self.is_taken and clock.now() < self.free_at:
            self.throttle.clear()


def mails_of_recipient(address: str) -> Throttle:
    """Use with `take`: all mails except resets. Raises ValueError for text that is no address."""
    subject = canonical_email(address)
    return Throttle("mails_per_recipient", _MAILS_PER_HOUR, _HOUR, subject, fails_closed=True)


def take_reset_place(email_canonical: str) -> ResetPlace:
    """Take a place for a reset mail, at most five in any hour; ExternalServiceUnavailable.

    Two places are taken for an hour each, one for 28 minutes. So three mails can go at once. If no
    place is free, the third one was taken in the last 28 minutes, and the token of its mail works
    until after the place is free again. So a request that waits for that place leaves no time
    without a working token.
    """
    # Each place is a throttle of size 1: with one window of size 2, its second mail late in it and
    # the two of the next window would be three in one hour.
    for number in range(_RESETS_OF_AN_HOUR):
        place = _try_place(f"{number} {email_canonical}", _HOUR)
        if place.is_taken:
            return place
    place = _try_place(email_canonical, int(_RESET_EVERY.total_seconds()))
    if not place.is_taken:
        place.throttle.count_refusal()
    return place


def _try_place(subject: str, seconds: int) -> ResetPlace:
    throttle = Throttle("resets_per_recipient", 1, seconds, subject, fails_closed=True)
    turn = throttle.try_take()
    return ResetPlace(throttle, turn.is_taken, clock.from_ms(turn.until_ms))
