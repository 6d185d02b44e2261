"""Identities: accounts by the operator's own names for them."""

from typing import Any

from marshmallow import ValidationError, fields

from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.fields import IDENTITY, PrefixedId
from ragauth.blueprints.compat.unkey.key_schemas import UnkeyIdentity
from ragauth.blueprints.compat.unkey.named import IdOrName
from ragauth.blueprints.compat.unkey.schemas import UnkeyNothing, UnkeySchema
from ragauth.errors import ExternalIdTaken, NoSuchAccount
from ragauth.models import Account
from ragauth.models.base import Page
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.account_fields import ExternalId
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Cursor, Text, Whole
from ragauth.schemas.metadata import Metadata
from ragauth.security.scopes import ACCOUNTS
from ragauth.services.operators import accounts, customers
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key


class NoRatelimits(fields.List[Any]):
    """Unkey's rate limits of an identity have no place here: a list of them must be empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(fields.Raw(), **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if super()._deserialize(value, *args, **kwargs):
            raise ValidationError("Identities have no rate limits here: give them to each key")
        return []


class UnkeyNewIdentity(RequestSchema):
    external_id = ExternalId(required=True, data_key="externalId")
    meta = Metadata(load_default=None)
    ratelimits = NoRatelimits()


class UnkeyIdentityQuestion(RequestSchema):
    identity = IdOrName(IDENTITY, required=True)


class UnkeyIdentityChanges(UnkeyIdentityQuestion):
    """What is left out stays; `{}` takes the metadata away."""

    meta = Metadata()
    ratelimits = NoRatelimits()


class UnkeyIdentitiesQuestion(RequestSchema):
    limit = Whole(minimum=1, maximum=100, load_default=100)
    cursor = Cursor(load_default=None)
    search = Text(maximum=255, load_default=None)


class UnkeyIdentityId(UnkeySchema):
    identity_id = PrefixedId(IDENTITY, required=True, data_key="identityId", attribute="id")


@unkey.post("/v2/identities.createIdentity")
@endpoint(
    guard=service_key(ACCOUNTS),
    body=UnkeyNewIdentity,
    data=UnkeyIdentityId,
    errors=(ExternalIdTaken,),
)
def create_identity(caller: KeyFacts, body: dict[str, Any]) -> Account:  # noqa: ARG001
    """Make an identity: an account without a login, and without the limits of a plan."""
    return customers.create_customer(
        external_id=body["external_id"], metadata=body["meta"] or None, client=current_client()
    )


@unkey.post("/v2/identities.getIdentity")
@endpoint(
    guard=service_key(ACCOUNTS),
    body=UnkeyIdentityQuestion,
    data=UnkeyIdentity,
    errors=(NoSuchAccount,),
)
def get_identity(caller: KeyFacts, body: dict[str, Any]) -> Account:  # noqa: ARG001
    """One identity, by its id or its `externalId`."""
    return customers.get_customer(body["identity"])


@unkey.post("/v2/identities.listIdentities")
@endpoint(guard=service_key(ACCOUNTS), body=UnkeyIdentitiesQuestion, data=UnkeyIdentity)
def list_identities(caller: KeyFacts, body: dict[str, Any]) -> Page[Account]:  # noqa: ARG001
    """All identities, newest first, or those whose id or `externalId` has a text."""
    return customers.list_customers(**body)


@unkey.post("/v2/identities.updateIdentity")
@endpoint(
    guard=service_key(ACCOUNTS),
    body=UnkeyIdentityChanges,
    data=UnkeyIdentity,
    errors=(NoSuchAccount,),
)
def update_identity(caller: KeyFacts, body: dict[str, Any]) -> Account:  # noqa: ARG001
    """Replace what is kept with an identity."""
    account = customers.get_customer(body["identity"])
    if "meta" not in body:
        return account
    return accounts.administer(
        account_id=account.id,
        changes={"metadata": body["meta"] or None},
        client=current_client(),
    )


@unkey.post("/v2/identities.deleteIdentity")
@endpoint(
    guard=service_key(ACCOUNTS),
    body=UnkeyIdentityQuestion,
    data=UnkeyNothing,
    errors=(NoSuchAccount,),
)
def delete_identity(caller: KeyFacts, body: dict[str, Any]) -> None:  # noqa: ARG001
    """Delete an identity; its keys live on in their APIs, and belong to none."""
    customers.release_customer(body["identity"], client=current_client())
