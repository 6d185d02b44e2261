"""The keys of services, for example a gateway that asks for verdicts or a billing job."""

import uuid

from ragauth import transaction
from ragauth.errors import NotFound
from ragauth.models import ApiKey
from ragauth.models import service_keys as key_rows
from ragauth.models.api_keys import SERVICE
from ragauth.models.base import Page
from ragauth.services import audit
from ragauth.services.audit import OPERATOR, EventName
from ragauth.services.keys import api_keys, revocation
from ragauth.services.keys.api_keys import IssuedKey


def create_service_key(*, name: str, scopes: list[str]) -> IssuedKey:
    with transaction.unit_of_work():
        issued = api_keys.add_key(account_id=None, name=name, kind=SERVICE, scopes=scopes)
        audit.record_key_event(EventName.KEY_CREATED, issued.key, OPERATOR)
        return issued


def list_service_keys(
    *, include_revoked: bool, limit: int, cursor: uuid.UUID | None
) -> Page[ApiKey]:
    with transaction.read_only():
        return key_rows.list_service_keys(
            include_revoked=include_revoked, limit=limit, cursor=cursor
        )


def count_service_keys(*, include_revoked: bool) -> int:
    with transaction.read_only():
        return key_rows.count_service_keys(include_revoked=include_revoked)


def revoke_service_key(*, key_id: uuid.UUID) -> ApiKey:
    """Revoke a service's key; raises NotFound if there is no such live key."""
    with transaction.unit_of_work():
        key = key_rows.find_service_key(key_id)
        if key is None or not revocation.revoke(key, OPERATOR):
            raise NotFound("There is no such service key, or it is revoked already")
    return key
