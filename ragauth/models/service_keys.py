"""Service keys: rows of `api_keys` without an account."""

import uuid

from sqlalchemy import Select, select

from ragauth.extensions import db
from ragauth.models.api_keys import SERVICE, ApiKey
from ragauth.models.base import Page, count_rows, paginate


def list_service_keys(
    *, include_revoked: bool, limit: int, cursor: uuid.UUID | None
) -> Page[ApiKey]:
    return paginate(_of_services(include_revoked), ApiKey.id, limit=limit, cursor=cursor)


def count_service_keys(*, include_revoked: bool) -> int:
    return count_rows(_of_services(include_revoked))


def _of_services(include_revoked: bool) -> Select[ApiKey]:
    query = select(ApiKey).where(ApiKey.account_id.is_(None))
    return query if include_revoked else query.where(ApiKey.revoked_at.is_(None))


def find_service_key(key_id: uuid.UUID) -> ApiKey | None:
    return db.session.scalar(
        select(ApiKey).where(
            ApiKey.id == key_id, ApiKey.kind == SERVICE, ApiKey.revoked_at.is_(None)
        )
    )
