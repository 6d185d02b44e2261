"""Webhooks: the endpoints that an operator sets, and what was delivered to them."""

from typing import Any

from marshmallow import Schema, ValidationError, fields

from ragauth.schemas.about import about
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Choice, Flag, Id, Items, Moment, Text
from ragauth.security.identifiers import MESSAGE, WEBHOOK
from ragauth.security.webhook_urls import MAX_LENGTH, canonical_webhook_url
from ragauth.services.webhooks.types import CHOSEN

_URL = "https://hooks.example.com/ragauth"
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105 - an example


class WebhookUrl(Text):
    """The URL of an endpoint; loaded in its canonical form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=MAX_LENGTH, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        try:
            return canonical_webhook_url(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class MessageTypes(Items):
    """Types of messages, each once; null for all of them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Choice(*CHOSEN), minimum=1, maximum=len(CHOSEN), allow_none=True, **kwargs)


class NewWebhookSchema(RequestSchema):
    url = WebhookUrl(
        required=True,
        **about("Where messages are sent: `https://`, to a host with a public address.", _URL),
    )
    events = MessageTypes(
        load_default=None,
        **about("The types that it is told of; null for all.", ["api_key.revoked"]),
    )


class WebhookChangesSchema(RequestSchema):
    url = WebhookUrl(**about("Where messages are sent.", _URL))
    events = MessageTypes(
        **about("The types that it is told of; null for all.", ["api_key.revoked"])
    )
    is_active = Flag(
        **about("False gives up what waits; true sends what happens from then on.", True)
    )


class WebhookSchema(Schema):
    id = Id(WEBHOOK, required=True, **about("Names the webhook."))
    url = fields.String(required=True, **about("Where messages are sent.", _URL))
    events = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        **about("The types that it is told of; null for all.", ["api_key.revoked"]),
    )
    is_active = fields.Boolean(
        required=True,
        **about("Whether messages are sent; false also after three days of failures.", True),
    )
    created_at = Moment(required=True, **about("When it was added."))


class IssuedWebhookSchema(WebhookSchema):
    """A webhook with its new secret, which is never shown again."""

    secret = fields.String(
        required=True, **about("Signs the messages; shown once. Keep it secret.", _SECRET)
    )

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if attr == "secret" else obj.webhook, attr, default)


class DeliverySchema(Schema):
    id = Id(MESSAGE, required=True, **about("Names the message; its `webhook-id`."))
    type = fields.String(required=True, **about("The type of the message.", "api_key.revoked"))
    state = fields.String(
        required=True, **about("`pending`, `delivered` or `failed`.", "delivered")
    )
    attempts = fields.Integer(required=True, **about("How often it was tried.", 1))
    last_attempt_at = Moment(
        required=True, allow_none=True, **about("When it was tried last; null for never.")
    )
    response_status = fields.Integer(
        required=True,
        allow_none=True,
        **about("What the endpoint answered last; null if it did not.", 204),
    )
    cause = fields.String(
        required=True,
        allow_none=True,
        **about("Why the last attempt failed, or why there is no further one.", None),
    )
    next_attempt_at = Moment(
        required=True, allow_none=True, **about("When it is tried again; null for never.")
    )
    created_at = Moment(required=True, **about("When what it tells of happened."))
