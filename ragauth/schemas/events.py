"""Events of the security history."""

from marshmallow import Schema, fields

from ragauth.schemas.about import about
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Choice, FeedCursor, Id, Moment, QueryWhole
from ragauth.security.identifiers import ACCOUNT, EVENT
from ragauth.services.audit import EventName


class EventSchema(Schema):
    id = Id(EVENT, required=True, **about("Names the event."))
    name = fields.String(required=True, **about("What happened.", "account:login_succeeded"))
    at = Moment(required=True, **about("When."))
    ip = fields.String(
        required=True,
        allow_none=True,
        **about("From where; null if it is not known.", "203.0.113.7"),
    )
    user_agent = fields.String(required=True, allow_none=True, **about("With what.", "Mozilla/5.0"))
    details = fields.Dict(required=True, **about("More, by the name of the event."))


class FeedQuery(RequestSchema):
    """From where on, and what, of the feed of all accounts' events."""

    limit = QueryWhole(minimum=1, maximum=100, load_default=50, **about("How many at most."))
    after = FeedCursor(
        load_default=None,
        **about("The `meta.next_cursor` of the last page; left out, the feed begins."),
    )
    name = Choice(
        *(name.value for name in EventName),
        load_default=None,
        **about("Only events of this name.", "api_key:created"),
    )


class OperatorsEventSchema(EventSchema):
    """An event among those of all accounts; of none, where an unknown one was asked for."""

    account_id = Id(
        ACCOUNT,
        required=True,
        allow_none=True,
        **about("Whose; null where an unknown account was asked for."),
    )
