"""What RAG Chats' clients send, and what they are answered."""

from typing import Any

from marshmallow import INCLUDE, Schema, fields

from ragauth.schemas.account_fields import PresentedPassword
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Moment, Name, Text
from ragauth.schemas.plain_uuid import PlainUuid


class RagchatsLogin(RequestSchema):
    email = Text(maximum=1000, required=True)
    password = PresentedPassword(required=True)


class RagchatsUser(Schema):
    """One name of ours is two of theirs: what stands before its first space, and the rest."""

    id = PlainUuid(required=True)
    email = fields.String(required=True)
    first_name = fields.Function(
        lambda account: (account.name or "").partition(" ")[0],
        required=True,
        data_key="firstName",
        metadata={"type": "string"},
    )
    last_name = fields.Function(
        lambda account: (account.name or "").partition(" ")[2],
        required=True,
        data_key="lastName",
        metadata={"type": "string"},
    )


class RagchatsTokens(Schema):
    access = fields.String(required=True, attribute="tokens.token")
    refresh = fields.String(required=True, attribute="tokens.refresh_token")
    user = fields.Nested(RagchatsUser, required=True, attribute="account")


class RagchatsRefresh(RequestSchema):
    refresh = Text(maximum=8192, required=True)


class RagchatsAccess(Schema):
    access = fields.String(required=True)


class RagchatsNewAgent(RequestSchema):
    name = Name(minimum=1, maximum=100, required=True)
    description = Name(has_lines=True, maximum=1000, load_default=None, allow_none=True)


class RagchatsAgent(Schema):
    id = PlainUuid(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    created_at = Moment(required=True, data_key="createdAt")


class RagchatsNewKey(RequestSchema):
    """The document's button asks for no name."""

    name = Name(minimum=1, maximum=100, load_default="API key")


class RagchatsKey(Schema):
    id = PlainUuid(required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True)
    is_active = fields.Boolean(required=True, data_key="isActive")
    created_at = Moment(required=True, data_key="createdAt")
    last_used_at = Moment(required=True, allow_none=True, data_key="lastUsedAt")


class RagchatsIssuedKey(RagchatsKey):
    """A new key with its raw form, which is never shown again."""

    key = fields.String(required=True, attribute="raw_key")

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if attr == "raw_key" else obj.key, attr, default)


class RagchatsQuestion(RequestSchema):
    """A message; what else stands beside it is between the client and the upstream."""

    message = Text(minimum=1, maximum=65_536, required=True)

    class Meta:
        unknown = INCLUDE


class RagchatsAnswer(Schema):
    """Whatever the upstream answers."""

    class Meta:
        unknown = INCLUDE
