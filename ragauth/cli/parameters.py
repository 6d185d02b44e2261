"""Parameter types of the commands."""

import uuid
from datetime import datetime
from typing import Any

import click
from marshmallow import ValidationError, fields

from ragauth.schemas.base import to_issues
from ragauth.schemas.fields import Id
from ragauth.security.identifiers import KEY


class FieldType(click.ParamType[Any]):
    """A command-line value that is checked by the same field as over HTTP."""

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


KEY_ID = FieldType("key id", Id(KEY))
