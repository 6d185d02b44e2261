"""Ends what was made while the clock was ahead, once the clock is right again.

Such sessions and tokens are refused now (`clock.is_ahead`), but would be accepted when their time
comes. So they are ended: at once by the process that notices the step of the clock, or by the daily
`cleanup` if no process was running.
"""

from dataclasses import dataclass

from ragauth import clock, transaction
from ragauth.models import api_keys as key_rows
from ragauth.models import confirmations as confirmation_rows
from ragauth.models import sessions as session_rows


@dataclass(frozen=True, slots=True)
class Mended:
    """How many sessions were ended, graces of replaced keys shortened, mailed tokens withdrawn."""

    sessions: int
    graces: int
    tokens: int


def mend() -> Mended:
    """End what was begun in the future; a second call changes nothing."""
    with transaction.unit_of_work():
        now = clock.now()
        latest = now + clock.LEEWAY
        graces = key_rows.list_replaced_after(latest, now=now)
        for replaced, successor in graces:
            if replaced.expires_at is not None:
                # The same length of grace, from now.
                replaced.expires_at = now + (replaced.expires_at - successor.created_at)
            successor.created_at = now
        return Mended(
            sessions=session_rows.end_issued_after(latest, now=now),
            graces=len(graces),
            tokens=confirmation_rows.delete_made_after(latest),
        )
