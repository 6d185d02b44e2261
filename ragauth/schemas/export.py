"""The export: everything that the service holds of an account."""

from marshmallow import Schema, fields

from ragauth.schemas.accounts import AccountSchema
from ragauth.schemas.agents import AgentSchema
from ragauth.schemas.api_keys import KeySchema
from ragauth.schemas.events import EventSchema
from ragauth.schemas.fields import Id, Moment
from ragauth.schemas.usage import UsageSchema
from ragauth.security.identifiers import SESSION


class ExportedAccountSchema(AccountSchema):
    email_verified_at = Moment(required=True, allow_none=True)
    status = fields.String(required=True)


class ExportedKeySchema(KeySchema):
    revoked_at = Moment(required=True, allow_none=True)


class ExportedSessionSchema(Schema):
    id = Id(SESSION, required=True)
    created_at = Moment(required=True)
    last_used_at = Moment(required=True)
    expires_at = Moment(required=True)
    ended_at = Moment(required=True, allow_none=True)
    ip = fields.String(required=True, allow_none=True)
    user_agent = fields.String(required=True, allow_none=True)


class SecondFactorViewSchema(Schema):
    enabled = fields.Boolean(required=True)
    created_at = Moment(required=True)
    recovery_codes_left = fields.Integer(required=True)


class ExportedConfirmationSchema(Schema):
    purpose = fields.String(required=True)
    email = fields.String(required=True, allow_none=True)
    created_at = Moment(required=True)
    expires_at = Moment(required=True)
    used_at = Moment(required=True, allow_none=True)


class QueuedMailSchema(Schema):
    template = fields.String(required=True)
    created_at = Moment(required=True)


class ExportSchema(Schema):
    """All of it, in the order of the file."""

    exported_at = Moment(required=True)
    account = fields.Nested(ExportedAccountSchema, required=True)
    second_factor = fields.Nested(SecondFactorViewSchema, required=True, allow_none=True)
    confirmations = fields.List(fields.Nested(ExportedConfirmationSchema), required=True)
    queued_mail = fields.List(fields.Nested(QueuedMailSchema), required=True)
    agents = fields.List(fields.Nested(AgentSchema), required=True)
    api_keys = fields.List(fields.Nested(ExportedKeySchema), required=True)
    sessions = fields.List(fields.Nested(ExportedSessionSchema), required=True)
    events = fields.List(fields.Nested(EventSchema), required=True)
    usage = fields.List(fields.Nested(UsageSchema), required=True)
