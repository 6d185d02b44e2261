"""Keys of another system, taken over by their hashes: its customers keep them."""

from typing import Any, NamedTuple
from uuid import UUID

from marshmallow import ValidationError, fields

from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.fields import API, PrefixedId, described
from ragauth.blueprints.compat.unkey.key_schemas import UnkeyKeyFields
from ragauth.blueprints.compat.unkey.key_terms import limit_of, read_credits
from ragauth.blueprints.compat.unkey.keys import owner_named
from ragauth.blueprints.compat.unkey.schemas import UnkeySchema, nested
from ragauth.errors import NoSuchKeyspace
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Text
from ragauth.schemas.key_import import Digest
from ragauth.security.identifiers import KEY, new_uuids
from ragauth.security.key_format import LIVE
from ragauth.security.scopes import KEYS
from ragauth.services.keys import allowances
from ragauth.services.keys.own_counts import counted_alone
from ragauth.services.operators import declared_scopes, key_import, keyspaces
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

_MOST_KEYS = 1_000
# What is shown of a key that was never seen.
_SHOWN = "imported"


class Hash(NamedTuple):
    """A hash as it came, and the digest that it is."""

    text: str
    digest: bytes


class HashField(Digest):
    """Loaded as a Hash."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return Hash(value, super()._deserialize(value, *args, **kwargs))


class UnkeyMigratedKey(UnkeyKeyFields):
    """`hash` is the SHA-256 of the whole key, in hex, base64 or base64url."""

    hash = HashField(required=True)


class MigratedKeys(fields.List[Any]):
    default_error_messages = {"invalid": "Not a list", "null": "May not be null"}
    minimum = 1
    maximum = _MOST_KEYS

    def __init__(self, **kwargs: Any) -> None:
        bounds = {"minItems": self.minimum, "maxItems": self.maximum}
        super().__init__(nested(UnkeyMigratedKey), **described(kwargs, **bounds))

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and not self.minimum <= len(value) <= self.maximum:
            raise ValidationError(f"Must have {self.minimum} to {self.maximum} entries")
        loaded: list[Any] = super()._deserialize(value, *args, **kwargs)
        return loaded


class UnkeyMigration(RequestSchema):
    """`migrationId` may be any: what a hash is of is known."""

    migration_id = Text(minimum=1, maximum=256, required=True, data_key="migrationId")
    api_id = PrefixedId(API, required=True, data_key="apiId")
    keys = MigratedKeys(required=True)


class UnkeyMigrated(UnkeySchema):
    hash = fields.String(required=True)
    key_id = PrefixedId(KEY, required=True, data_key="keyId")


class UnkeyMigrationOutcome(UnkeySchema):
    """`failed` has the hashes of keys that are known already: they stay as they are."""

    migrated = fields.List(fields.Nested(UnkeyMigrated), required=True)
    failed = fields.List(fields.String(), required=True)


@unkey.post("/v2/keys.migrateKeys")
@endpoint(
    guard=service_key(KEYS),
    body=UnkeyMigration,
    data=UnkeyMigrationOutcome,
    errors=(NoSuchKeyspace,),
)
def migrate_keys(caller: KeyFacts, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Take over up to 1,000 keys of another system by their hashes, all or none.

    A hash that is known already fails alone.
    """
    keyspace = keyspaces.get_keyspace(keyspace_id=body["api_id"])
    named = {each["external_id"] for each in body["keys"]} - {None}
    owners = {None: keyspace.account_id} | {name: owner_named(name) for name in named}
    declared_scopes.declare_missing({slug for each in body["keys"] for slug in each["permissions"]})
    # Of a hash that stands in the list twice the first counts.
    first: dict[bytes, dict[str, Any]] = {}
    for each in body["keys"]:
        first.setdefault(each["hash"].digest, each)
    rows = [
        _begin(key_id, each, owners[each["external_id"]])
        for key_id, each in zip(new_uuids(len(first)), first.values(), strict=True)
    ]
    new = key_import.take_over_keys(rows, keyspace_id=keyspace.id, client=current_client())
    return {
        "migrated": [
            {"hash": each["hash"].text, "key_id": new[digest]}
            for digest, each in first.items()
            if digest in new
        ],
        "failed": [
            each["hash"].text
            for each in body["keys"]
            if each["hash"].digest not in new or first[each["hash"].digest] is not each
        ],
    }


def _begin(key_id: UUID, key: dict[str, Any], account_id: UUID) -> dict[str, Any]:
    """The row of a new key, of which what it may use in its first period is set."""
    allowance = read_credits(key["credits"])
    allowances.begin(counted_alone(account_id, key_id, LIVE), allowance)
    return {
        "id": key_id,
        "account_id": account_id,
        "digest": key["hash"].digest,
        "prefix": _SHOWN,
        "environment": LIVE,
        "name": key["name"],
        "scopes": key["permissions"],
        "expires_at": key["expires"],
        "is_enabled": key["enabled"],
        "limits": [*allowances.limits_of(allowance), *map(limit_of, key["ratelimits"])] or None,
        "own_data": key["meta"],
    }
