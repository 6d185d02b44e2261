"""Events of the security history."""

from marshmallow import Schema, fields

from ragauth.schemas.fields import Id, Moment
from ragauth.security.identifiers import ACCOUNT, EVENT


class EventSchema(Schema):
    id = Id(EVENT, required=True)
    name = fields.String(required=True)
    at = Moment(required=True)
    ip = fields.String(required=True, allow_none=True)
    user_agent = fields.String(required=True, allow_none=True)
    details = fields.Dict(required=True)


class OperatorsEventSchema(EventSchema):
    """An event among those of all accounts; of none, where an unknown one was asked for."""

    account_id = Id(ACCOUNT, required=True, allow_none=True)
