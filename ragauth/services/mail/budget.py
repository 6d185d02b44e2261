"""How many mails one address gets, for all causes together.

The recipient is the address in its canonical form. Mails are counted by their sender, beside the
requests and outside any transaction: what was rolled back counts nothing, and neither an answer nor
its time depends on what an address has had. Resets are apart, so that neither kind can use up the
other's. While nothing counts, mail waits.
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
# The next mail comes before the last one's token dies; the difference is what a mail may take.
_RESET_EVERY = RESET_LIFETIME - timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class ResetPlace:
    """A place for a reset mail: taken just now, or, if not `is_taken`, the next one to be free."""

    throttle: Throttle
    is_taken: bool
    free_at: datetime

    def give_back(self) -> None:
        """Free it: no mail was queued."""
        # Not counted down: the window would stay open, and end too soon for the next mail.
        if self.is_taken and clock.now() < self.free_at:
            self.throttle.clear()


def mails_of_recipient(address: str) -> Throttle:
    """For `take`: confirmations, changes and notices together; raises ValueError for no address."""
    subject = canonical_email(address)
    return Throttle("mails_per_recipient", _MAILS_PER_HOUR, _HOUR, subject, fails_closed=True)


def take_reset_place(email_canonical: str) -> ResetPlace:
    """Take a place for a reset mail, at most five in any hour; ExternalServiceUnavailable.

    Two places are taken for an hour, one for 28 minutes. So three mails go at once, and where no
    place is free one was taken in the last 28 minutes: its mail's token works until after that
    place is free again. A request that waits for it leaves no time without a working token.
    """
    # A throttle of one for each: two in one window could be three of an hour that begins later.
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
