"""What operators see and end of the sessions of any account."""

import uuid

from ragauth import clock, transaction
from ragauth.errors import NoSuchAccount
from ragauth.models import accounts as account_rows
from ragauth.models import sessions as session_rows
from ragauth.models.base import Page, Shown
from ragauth.services.account_lock import hold_account
from ragauth.services.audit import Client
from ragauth.services.sessions import sessions


def list_sessions(*, account_id: uuid.UUID, limit: int, cursor: uuid.UUID | None) -> Page[Shown]:
    """The account's live sessions, newest first; raises NoSuchAccount."""
    with transaction.read_only():
        if account_rows.find_account(account_id) is None:
            raise NoSuchAccount
        return session_rows.list_live(account_id, now=clock.now(), limit=limit, cursor=cursor)


def end_all_sessions(*, account_id: uuid.UUID, client: Client) -> int:
    """End all sessions of an account at once; returns how many. Raises NoSuchAccount."""
    with transaction.unit_of_work():
        hold_account(account_id, absent=NoSuchAccount)
        return sessions.end_sessions(account_id=account_id, client=client)
