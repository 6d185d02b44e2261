"""How many keys of an account count against its plan."""

import uuid
from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, exists, func, select

from ragauth.extensions import db
from ragauth.models.api_keys import ApiKey
from ragauth.models.base import read_rows


def count_live_keys(account_ids: Collection[uuid.UUID], *, now: datetime) -> dict[uuid.UUID, int]:
    """How many keys of each account count against its plan.

    Keys count that are neither revoked nor expired, even if they are switched off. A key in its
    grace does not count while the key that replaced it is alive, which counts for both. Keys of a
    keyspace never count: their number is the operator's affair.
    """
    if len(account_ids) == 1:
        (account_id,) = account_ids
        found = read_rows(_count_live(of_one=True), account_id=account_id, now=now)
        return {account_id: found[0].number if found else 0}
    rows = db.session.connection().execute(
        _count_live(of_one=False), {"account_ids": list(account_ids), "now": now}
    )
    return dict.fromkeys(account_ids, 0) | {owner: count for owner, count in rows if owner}


@cache
def _count_live(*, of_one: bool) -> Select[*tuple[Any, ...]]:
    now = bindparam("now", type_=ApiKey.expires_at.type)
    keys = cast("Table", ApiKey.__table__)
    successors = keys.alias()

    def is_alive(key: Any) -> ColumnElement[bool]:
        has_time = key.expires_at.is_(None) | (key.expires_at > now)
        return and_(key.revoked_at.is_(None), has_time)

    is_replaced = exists().where(successors.c.id == keys.c.replaced_by, is_alive(successors.c))
    return (
        select(keys.c.account_id, func.count().label("number"))
        .where(
            keys.c.account_id == bindparam("account_id")
            if of_one
            else keys.c.account_id.in_(bindparam("account_ids", expanding=True)),
            keys.c.keyspace_id.is_(None),
            is_alive(keys.c),
            ~is_replaced,
        )
        .group_by(keys.c.account_id)
    )
