"""What keys.verifyKey is asked and answers."""

from typing import Any

from marshmallow import ValidationError, fields

from ragauth.blueprints.compat.unkey.fields import KEYSPACE, Milliseconds, PrefixedId, described
from ragauth.blueprints.compat.unkey.key_schemas import UnkeyIdentity, UnkeyRatelimit
from ragauth.blueprints.compat.unkey.schemas import UnkeySchema, nested
from ragauth.policy.limits import LARGEST, MOST_LIMITS
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import AnyText, Items, Text, Whole
from ragauth.schemas.limits import LimitName
from ragauth.security.identifiers import KEY
from ragauth.security.scope_queries import LONGEST_QUERY, InvalidQuery, parse_query

_MOST_COST = 10_000
_MOST_TAGS = 100


class PermissionQuery(Text):
    """Permissions with AND, OR and parentheses; loaded as a predicate over a key's scopes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=LONGEST_QUERY, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return parse_query(super()._deserialize(*args, **kwargs))
        except InvalidQuery as error:
            raise ValidationError(str(error)) from error


class UnkeyCost(RequestSchema):
    cost = Whole(minimum=0, maximum=_MOST_COST, required=True)


class NotHere(fields.Field[Any]):
    """A value that has no counterpart here: whatever it is, it is refused."""

    def __init__(self, why: str, **kwargs: Any) -> None:
        super().__init__(**described(kwargs, description=why))
        self.why = why

    def _deserialize(self, *_args: Any, **_kwargs: Any) -> Any:
        raise ValidationError(self.why)


class UnkeyAskedRatelimit(RequestSchema):
    """A limit of the key by its name; `limit` and `duration` are the key's own."""

    name = LimitName(required=True)
    cost = Whole(minimum=0, maximum=LARGEST)
    limit = NotHere("A question does not set limits: give the key one of this name")
    duration = NotHere("A question does not set limits: give the key one of this name")


class AskedRatelimits(fields.List[Any]):
    """Loaded as names with costs, each name once."""

    default_error_messages = {"invalid": "Not a list", "null": "May not be null"}
    maximum = MOST_LIMITS

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(nested(UnkeyAskedRatelimit), **described(kwargs, maxItems=self.maximum))

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, list) and len(value) > self.maximum:
            raise ValidationError(f"Must have at most {self.maximum} entries")
        loaded: list[Any] = super()._deserialize(value, *args, **kwargs)
        named = {each["name"]: each.get("cost") for each in loaded}
        if len(named) < len(loaded):
            raise ValidationError("A limit is named more than once")
        return tuple(named.items())


class UnkeyQuestion(RequestSchema):
    """`tags` and `migrationId` change nothing."""

    key = AnyText(required=True)
    permissions = PermissionQuery(load_default=None)
    credits = nested(UnkeyCost, load_default=lambda: {"cost": 1})
    ratelimits = AskedRatelimits(load_default=())
    keyspaces = Items(PrefixedId(KEYSPACE), minimum=1, maximum=_MOST_TAGS, load_default=None)
    tags = Items(Text(minimum=1, maximum=512), minimum=0, maximum=_MOST_TAGS)
    migration_id = Text(maximum=256, data_key="migrationId")


class UnkeyMetRatelimit(UnkeyRatelimit):
    """`reset` is how long its window goes on, in milliseconds."""

    exceeded = fields.Boolean(required=True)
    remaining = fields.Integer(required=True)
    reset = fields.Integer(required=True)


class UnkeyVerdict(UnkeySchema):
    """`valid` decides; `code` says why not."""

    valid = fields.Boolean(required=True)
    code = fields.String(required=True)
    key_id = PrefixedId(KEY, data_key="keyId")
    keyspace_id = PrefixedId(KEYSPACE, data_key="keyspaceId")
    name = fields.String()
    meta = fields.Dict()
    expires = Milliseconds()
    credits = fields.Integer()
    enabled = fields.Boolean()
    permissions = fields.List(fields.String())
    identity = fields.Nested(UnkeyIdentity)
    ratelimits = fields.List(fields.Nested(UnkeyMetRatelimit))
