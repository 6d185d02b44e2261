"""Parameter types of the commands."""

import uuid
from datetime import datetime
from typing import Any

import click
from marshmallow import ValidationError, fields

from ragauth.errors import NotFound
from ragauth.models import Account
from ragauth.schemas.account_fields import external_id_in
from ragauth.schemas.base import to_issues
from ragauth.schemas.fields import Id
from ragauth.security.identifiers import ACCOUNT, EXTERNAL, KEY, encode_id
from ragauth.services.operators import accounts


class FieldType(click.ParamType[Any]):
    """A command-line value, checked by the same field as over HTTP."""

    def __init__(self, name: str, field: fields.Field[Any]) -> None:
        self.name = name
        self.field = field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, uuid.UUID | datetime):
            return value
        try:
            return self.field.deserialize(value)
        except ValidationError as error:
            message = "; ".join(issue["message"] for issue in to_issues(error.messages))
            self.fail(message, param, ctx)


ACCOUNT_ID = FieldType("account id", Id(ACCOUNT))
KEY_ID = FieldType("key id", Id(KEY))

account_argument = click.argument("account", metavar="ACCOUNT_ID|EMAIL|ext:EXTERNAL_ID")


def name_of(account: Account) -> str:
    """What people call the account: its address, or else what the operator calls it, or its id."""
    if account.email is None and account.external_id is not None:
        return f"{EXTERNAL}{account.external_id}"
    return account.email or encode_id(ACCOUNT, account.id)


def get_account(account: str) -> Account:
    """The account that the argument names; raises NotFound."""
    external_id = external_id_in(account)
    if external_id is None:
        found = accounts.find(account)
    else:
        found = accounts.find_by_external_id(external_id)
    if found is None:
        raise NotFound(f"there is no account {account}")
    return found
