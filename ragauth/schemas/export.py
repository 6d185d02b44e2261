"""The export: everything that the service holds of an account."""

from marshmallow import Schema, fields

from ragauth.schemas.about import about
from ragauth.schemas.agents import AgentSchema
from ragauth.schemas.api_keys import KeySchema
from ragauth.schemas.events import EventSchema
from ragauth.schemas.fields import Id, Moment
from ragauth.schemas.internal import InternalAccountSchema
from ragauth.schemas.usage import UsageSchema
from ragauth.security.identifiers import SESSION


class ExportedAccountSchema(InternalAccountSchema):
    """What the operator keeps with it is told here alone: it is about its owner."""

    email_verified_at = Moment(
        required=True, allow_none=True, **about("When the address was confirmed.", None)
    )
    limit_mails = fields.Boolean(
        required=True, **about("Whether mails tell of limits that are nearly used up.", True)
    )


class ExportedKeySchema(KeySchema):
    revoked_at = Moment(required=True, allow_none=True, **about("When it was revoked.", None))


class ExportedSessionSchema(Schema):
    id = Id(SESSION, required=True, **about("Names the session."))
    created_at = Moment(required=True, **about("When it was opened."))
    last_used_at = Moment(required=True, **about("When its tokens were last refreshed."))
    expires_at = Moment(required=True, **about("When it ends if it is not refreshed."))
    ended_at = Moment(required=True, allow_none=True, **about("When it was ended.", None))
    ip = fields.String(
        required=True, allow_none=True, **about("Where it was opened from.", "203.0.113.7")
    )
    user_agent = fields.String(
        required=True, allow_none=True, **about("What it was opened with.", "Mozilla/5.0")
    )
    spender_network = fields.String(
        required=True,
        allow_none=True,
        **about("The network that its tokens were last refreshed from.", "203.0.113.0/24"),
    )


class SecondFactorViewSchema(Schema):
    enabled = fields.Boolean(required=True, **about("Whether a login asks for it.", True))
    created_at = Moment(required=True, **about("When it was enrolled."))
    recovery_codes_left = fields.Integer(required=True, **about("How many were not used.", 10))


class ExportedConfirmationSchema(Schema):
    purpose = fields.String(required=True, **about("What the mail was for.", "verify_email"))
    email = fields.String(
        required=True,
        allow_none=True,
        **about("The address that it was sent to.", "dev@example.com"),
    )
    created_at = Moment(required=True, **about("When it was made."))
    expires_at = Moment(required=True, **about("When it ends."))
    used_at = Moment(required=True, allow_none=True, **about("When it was used.", None))


class QueuedMailSchema(Schema):
    template = fields.String(required=True, **about("Which mail.", "verify_email"))
    created_at = Moment(required=True, **about("When it was queued."))


class ExportSchema(Schema):
    """All of it, in the order of the file."""

    exported_at = Moment(required=True, **about("When the file was made."))
    account = fields.Nested(ExportedAccountSchema, required=True, **about("The account."))
    second_factor = fields.Nested(
        SecondFactorViewSchema,
        required=True,
        allow_none=True,
        **about("Its second factor; null for none."),
    )
    confirmations = fields.List(
        fields.Nested(ExportedConfirmationSchema),
        required=True,
        **about("Tokens that were sent by mail."),
    )
    queued_mail = fields.List(
        fields.Nested(QueuedMailSchema), required=True, **about("Mails that wait to be sent.")
    )
    agents = fields.List(fields.Nested(AgentSchema), required=True, **about("Its agents."))
    api_keys = fields.List(
        fields.Nested(ExportedKeySchema), required=True, **about("Its keys, dead ones too.")
    )
    sessions = fields.List(
        fields.Nested(ExportedSessionSchema),
        required=True,
        **about("Its sessions, ended ones too."),
    )
    events = fields.List(
        fields.Nested(EventSchema), required=True, **about("Its security history.")
    )
    usage = fields.List(
        fields.Nested(UsageSchema), required=True, **about("What its keys were used for.")
    )
