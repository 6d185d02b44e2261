"""Events of the security history."""

from marshmallow import Schema, fields

from ragauth.schemas.about import about
from ragauth.schemas.fields import Id, Moment
from ragauth.security.identifiers import ACCOUNT, EVENT


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


class OperatorsEventSchema(EventSchema):
    """An event among those of all accounts; of none, where an unknown one was asked for."""

    account_id = Id(
        ACCOUNT,
        required=True,
        allow_none=True,
        **about("Whose; null where an unknown account was asked for."),
    )
