"""What a clock that was ahead has left behind, once it is right again.

Nothing of it is accepted (`clock.is_ahead`), but it would be when its time comes. So it is ended:
at once by the process that sees the step, and by the daily `cleanup` where none was running.
"""

from dataclasses import dataclass

from ragauth import clock, transaction
from ragauth.models import api_keys as key_rows
from ragauth.models import confirmations as confirmation_rows
from ragauth.models import sessions as session_rows


@dataclass(frozen=True, slots=True)
class Mended:
    """How many sessions ended, graces of replaced keys were shortened, mailed tokens withdrawn."""

    sessions: int
    graces: int
    tokens: int


def mend() -> Mended:
    """End what was begun in the future; again changes nothing."""
    with transaction.unit_of_work():
        now = clock.now()
        latest = now + clock.LEEWAY
        graces = key_rows.list_replaced_after(latest, now=now)
        for replaced, successor in graces:
            if replaced.expires_at is not None:
                # The grace that was asked for, from now.
                replaced.expires_at = now + (replaced.expires_at - successor.created_at)
            successor.created_at = now
        return Mended(
            sessions=session_rows.end_issued_after(latest, now=now),
            graces=len(graces),
            tokens=confirmation_rows.delete_made_after(latest),
        )
