"""The read for an access token: the session and its account, by the session's id."""

import uuid
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from ragauth.database import parse_sqlite_moment
from ragauth.models.accounts import Account
from ragauth.models.reads.prepared import PreparedReads
from ragauth.models.sessions import Session


class SessionFacts(NamedTuple):
    """A session and its account as the database has them."""

    expires_at: datetime
    is_ended: bool
    account_id: uuid.UUID
    email: str
    email_verified: bool
    username: str | None
    name: str | None
    plan: str
    account_status: str
    account_created_at: datetime


_SESSION = (
    select(
        Session.expires_at,
        Session.ended_at.is_not(None),
        Account.id,
        Account.email,
        Account.email_verified_at.is_not(None),
        Account.username,
        Account.name,
        Account.plan,
        Account.status,
        Account.created_at,
    )
    .join(Account, Account.id == Session.account_id)
    .where(Session.id == bindparam("session_id"))
)


class SessionLookup:
    """Finds sessions by their id."""

    def __init__(self, reads: PreparedReads) -> None:
        self._reads = reads
        self._sql = reads.compile(_SESSION)

    def find_session(self, session_id: uuid.UUID) -> SessionFacts | None:
        """Raises ExternalServiceUnavailable."""
        is_sqlite = self._reads.is_sqlite
        parameter: Any = session_id.hex if is_sqlite else session_id
        rows = self._reads.read(self._sql, {"session_id": parameter})
        if not rows:
            return None
        return _from_sqlite(rows[0]) if is_sqlite else SessionFacts(*rows[0])


def _from_sqlite(row: tuple[Any, ...]) -> SessionFacts:
    facts = SessionFacts(*row)
    return facts._replace(
        expires_at=parse_sqlite_moment(row[0]),
        is_ended=bool(facts.is_ended),
        account_id=uuid.UUID(row[2]),
        email_verified=bool(facts.email_verified),
        account_created_at=parse_sqlite_moment(row[-1]),
    )
