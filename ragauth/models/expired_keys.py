"""The keys that have expired, in the order of their end."""

import uuid
from datetime import datetime

from sqlalchemy import literal, select, tuple_

from ragauth.extensions import db
from ragauth.models.api_keys import ApiKey


def list_expired(since: datetime, after: uuid.UUID, *, until: datetime, limit: int) -> list[ApiKey]:
    """Live keys that expired after one moment, or in it and after a key, until another.

    Without those that a rotation has replaced: their end is that of a grace.
    """
    end = tuple_(ApiKey.expires_at, ApiKey.id)
    query = select(ApiKey).where(
        ApiKey.revoked_at.is_(None),
        ApiKey.expires_at.is_not(None),
        ApiKey.replaced_by.is_(None),
        end > tuple_(literal(since, ApiKey.expires_at.type), literal(after, ApiKey.id.type)),
        ApiKey.expires_at <= until,
    )
    return list(db.session.scalars(query.order_by(ApiKey.expires_at, ApiKey.id).limit(limit)))
