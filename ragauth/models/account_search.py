"""Finding accounts: by what they are, or by a part of their names, or by how the id begins."""

import uuid
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, literal_column, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from ragauth.extensions import db
from ragauth.models.accounts import DELETED, Account
from ragauth.models.base import Page, count_rows, paginate
from ragauth.security.identifiers import ACCOUNT, id_range
from ragauth.security.normal_forms import fold

# A column has at most 256 code points, each of which NFKC expands to at most 18.
_LONGEST = 18 * 256
_SEARCHED = (Account.email, Account.username, Account.name, Account.external_id)


def list_accounts(
    *,
    search: str | None = None,
    email_canonical: str | None,
    external_id: str | None,
    plan: str | None,
    status: str | None,
    limit: int,
    cursor: uuid.UUID | None,
) -> Page[Account]:
    """The accounts that have all that is not None, newest first.

    `search` is as for `count_accounts`.
    """
    query = _chosen(search, plan, status)
    if email_canonical is not None:
        query = query.where(Account.email_canonical == email_canonical)
    if external_id is not None:
        query = query.where(Account.external_id == external_id)
    return paginate(query, Account.id, limit=limit, cursor=cursor)


def search_accounts(
    *,
    search: str | None,
    plan: str | None,
    status: str | None,
    limit: int,
    cursor: uuid.UUID | None,
) -> Page[Account]:
    """Search accounts, newest first; `search` is as for `count_accounts`."""
    query = _chosen(search, plan, status)
    return paginate(query, Account.id, limit=limit, cursor=cursor)


def count_accounts(*, search: str | None, plan: str | None, status: str | None) -> int:
    """How many accounts have the text in e-mail, username, name or external id, or an id that
    begins with it.

    Case does not matter.
    """
    return count_rows(_chosen(search, plan, status))


def _chosen(search: str | None, plan: str | None, status: str | None) -> Select[Any]:
    query = select(Account).where(Account.status != DELETED)
    if plan is not None:
        query = query.where(Account.plan == plan)
    if status is not None:
        query = query.where(Account.status == status)
    return query if search is None else query.where(_is_called(search, _SEARCHED))


def list_customers(*, search: str | None, limit: int, cursor: uuid.UUID | None) -> Page[Account]:
    """Accounts with an external id, newest first.

    The text is in the external id, without regard to case, or at the beginning of the id.
    """
    query = _chosen(None, None, None).where(Account.external_id.is_not(None))
    if search is not None:
        query = query.where(_is_called(search, (Account.external_id,)))
    return paginate(query, Account.id, limit=limit, cursor=cursor)


_Columns = tuple[InstrumentedAttribute[str | None], ...]


def _is_called(search: str, columns: _Columns) -> ColumnElement[bool]:
    return or_(_has(search, columns), _has_id(search))


def _has(search: str, columns: _Columns) -> ColumnElement[bool]:
    """Not with LIKE, so that nothing in the text is a wildcard."""
    connection = db.session.connection()
    if connection.dialect.name == "sqlite":
        # SQLite's own lower() handles ASCII only.
        connection.connection.driver_connection.create_function(  # type: ignore[union-attr]
            "ragauth_fold", 1, _fold, deterministic=True
        )
        folded = [func.instr(func.ragauth_fold(column), _fold(search)) for column in columns]
    else:
        form: ColumnElement[Any] = literal_column("NFKC")
        sought = func.lower(func.normalize(search, form))
        folded = [
            func.strpos(func.lower(func.normalize(column, form)), sought) for column in columns
        ]
    return or_(*(place > 0 for place in folded))


def _fold(text: str | None) -> str | None:
    return None if text is None else fold(text, longest=_LONGEST)


def _has_id(search: str) -> ColumnElement[bool]:
    try:
        first, last = id_range(ACCOUNT, search.strip().lower())
    except ValueError:
        return false()
    return Account.id.between(first, last)
