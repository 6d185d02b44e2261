"""Keys as Unkey's clients make, change and see them."""

import uuid
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from ragauth.blueprints.compat.unkey.fields import (
    API,
    IDENTITY,
    PERMISSION,
    RATELIMIT,
    Milliseconds,
    PrefixedId,
    Slug,
    described,
)
from ragauth.blueprints.compat.unkey.schemas import UnkeySchema, nested
from ragauth.policy import MOST_SCOPES
from ragauth.policy.limits import LARGEST, MOST_LIMITS
from ragauth.policy.windows import LONGEST_MS, SHORTEST_MS
from ragauth.schemas.account_fields import ExternalId
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import AnyText, Choice, Flag, Items, Name, Text, Whole
from ragauth.schemas.limits import LimitName
from ragauth.schemas.metadata import Metadata
from ragauth.security.identifiers import KEY


class UnkeyRefill(RequestSchema):
    """It comes as a day, or a month, begins: `refillDay` is 1 or left out."""

    interval = Choice("daily", "monthly", required=True)
    amount = Whole(minimum=1, maximum=LARGEST, required=True)
    refill_day = Whole(minimum=1, maximum=31, data_key="refillDay")

    @validates_schema
    def _require_the_first_day(self, values: dict[str, Any], **_kwargs: Any) -> None:
        if values.get("refill_day", 1) != 1 or (
            "refill_day" in values and values["interval"] == "daily"
        ):
            raise ValidationError("A refill comes as a day or a month begins, in UTC", "refillDay")


class UnkeyCredits(RequestSchema):
    """`remaining` may be null: no limit, and no refill."""

    remaining = Whole(minimum=0, maximum=LARGEST, required=True, allow_none=True)
    refill = nested(UnkeyRefill)

    @validates_schema
    def _require_number(self, values: dict[str, Any], **_kwargs: Any) -> None:
        if "refill" in values and values["remaining"] is None:
            raise ValidationError("Must be a number beside a refill", "remaining")


class UnkeyCreditChanges(RequestSchema):
    """What is left out stays; null removes it."""

    remaining = Whole(minimum=0, maximum=LARGEST, allow_none=True)
    refill = fields.Nested(UnkeyRefill, allow_none=True)


class UnkeyNewRatelimit(RequestSchema):
    """So many in so many milliseconds; without `autoApply` it counts where a question names it."""

    name = LimitName(required=True)
    limit = Whole(minimum=1, maximum=LARGEST, required=True)
    duration = Whole(minimum=SHORTEST_MS, maximum=LONGEST_MS, required=True)
    auto_apply = Flag(data_key="autoApply", load_default=False)


class Ratelimits(fields.List[Any]):
    """A list of rate limits, each with a name of its own."""

    default_error_messages = {"invalid": "Not a list", "null": "May not be null"}
    # One place is left for credits.
    maximum = MOST_LIMITS - 1

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(nested(UnkeyNewRatelimit), **described(kwargs, maxItems=self.maximum))

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if len(value) > self.maximum:
            raise ValidationError(f"Must have at most {self.maximum} entries")
        loaded: list[Any] = super()._deserialize(value, *args, **kwargs)
        names = [each["name"] for each in loaded]
        again = {
            position: {"name": ["Another limit is called so already"]}
            for position, name in enumerate(names)
            if name in names[:position]
        }
        if again:
            raise ValidationError(again)
        return loaded


class NoRoles(fields.List[Any]):
    """Unkey's roles have no place here: a list of them must be empty."""

    default_error_messages = {"invalid": "Not a list", "null": "May not be null"}
    maximum = 0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Text(maximum=512), **described(kwargs, maxItems=self.maximum))

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if super()._deserialize(value, *args, **kwargs):
            raise ValidationError("There are no roles here: give each key its permissions")
        return []


def _permissions(**kwargs: Any) -> Items:
    return Items(Slug(), minimum=0, maximum=MOST_SCOPES, **kwargs)


class UnkeyKeyFields(RequestSchema):
    """What createKey and migrateKeys say of a new key."""

    name = Name(minimum=1, maximum=100, load_default="")
    external_id = ExternalId(data_key="externalId", load_default=None)
    meta = Metadata(load_default=None)
    roles = NoRoles()
    permissions = _permissions(load_default=list)
    expires = Milliseconds(load_default=None)
    enabled = Flag(load_default=True)
    credits = nested(UnkeyCredits, load_default=None)
    ratelimits = Ratelimits(load_default=list)


class UnkeyNewKey(UnkeyKeyFields):
    """`byteLength` and `recoverable` change nothing: keys have one length and are never kept."""

    api_id = PrefixedId(API, required=True, data_key="apiId")
    prefix = Text(minimum=1, maximum=16)
    byte_length = Whole(minimum=16, maximum=255, data_key="byteLength")
    recoverable = Flag()


class UnkeyKeyQuestion(RequestSchema):
    key_id = PrefixedId(KEY, required=True, data_key="keyId")


class UnkeyShownKeyQuestion(UnkeyKeyQuestion):
    """`decrypt` changes nothing: the key itself is not kept."""

    decrypt = Flag()


class UnkeyDeletedKey(UnkeyKeyQuestion):
    """`permanent` changes nothing: a deleted key is dead for good, and its history stays."""

    permanent = Flag()


class UnkeyKeyChanges(UnkeyKeyQuestion):
    """What is left out stays as it is; null removes it."""

    name = Name(minimum=1, maximum=100, allow_none=True)
    external_id = ExternalId(data_key="externalId", allow_none=True)
    meta = Metadata(allow_none=True)
    expires = Milliseconds(allow_none=True)
    credits = fields.Nested(UnkeyCreditChanges, allow_none=True)
    ratelimits = Ratelimits(allow_none=True)
    enabled = Flag()
    roles = NoRoles()
    permissions = _permissions()


class UnkeyReroll(UnkeyKeyQuestion):
    """`expiration` is how long the old key still works, in milliseconds."""

    expiration = Whole(
        minimum=0,
        maximum=604_800_000,
        required=True,
        error_messages={"null": "A key that is replaced ends: say when, in up to 604800000 ms"},
    )


class UnkeyCreditOperation(UnkeyKeyQuestion):
    operation = Choice("set", "increment", "decrement", required=True)
    value = Whole(minimum=0, maximum=LARGEST, allow_none=True, load_default=None)


class UnkeyPresentedKey(RequestSchema):
    key = AnyText(required=True)


class UnkeyKeyPermissions(UnkeyKeyQuestion):
    permissions = _permissions(required=True)


class UnkeyIssuedKey(UnkeySchema):
    """A new key with its raw form, which is never shown again."""

    key_id = PrefixedId(KEY, required=True, data_key="keyId", attribute="key.id")
    key = fields.String(required=True, attribute="raw_key")


class UnkeyShownRefill(UnkeySchema):
    interval = fields.String(required=True)
    amount = fields.Integer(required=True)


class UnkeyShownCredits(UnkeySchema):
    """`remaining` is null for no limit."""

    nullable = frozenset({"remaining"})
    remaining = fields.Integer(required=True, allow_none=True)
    refill = fields.Nested(UnkeyShownRefill)


class UnkeyRatelimit(UnkeySchema):
    id = PrefixedId(RATELIMIT, required=True)
    name = fields.String(required=True)
    limit = fields.Integer(required=True)
    duration = fields.Integer(required=True)
    auto_apply = fields.Boolean(required=True, data_key="autoApply")


class UnkeyIdentity(UnkeySchema):
    id = PrefixedId(IDENTITY, required=True)
    external_id = fields.String(required=True, data_key="externalId")
    meta = fields.Dict(attribute="own_data")


class UnkeyKey(UnkeySchema):
    """`start` is how the key begins; the key itself is never shown again."""

    key_id = PrefixedId(KEY, required=True, data_key="keyId")
    start = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    name = fields.String()
    meta = fields.Dict()
    created_at = Milliseconds(required=True, data_key="createdAt")
    last_used_at = Milliseconds(data_key="lastUsedAt")
    expires = Milliseconds()
    permissions = fields.List(fields.String())
    credits = fields.Nested(UnkeyShownCredits)
    identity = fields.Nested(UnkeyIdentity)
    ratelimits = fields.List(fields.Nested(UnkeyRatelimit))


class UnkeyPermission(UnkeySchema):
    id = PrefixedId(PERMISSION, required=True)
    name = fields.String(required=True)
    slug = fields.String(required=True)
    description = fields.String()


class UnkeyPermissions(UnkeyPermission):
    """All permissions of a key."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"many": True, **options})


def ratelimit_id(owner: uuid.UUID, name: str) -> uuid.UUID:
    """A limit has no id of its own: its owner and its name are one."""
    return uuid.uuid5(owner, name)
