"""An answer of any length in the envelope, written item by item."""

from functools import partial
from typing import Any, cast

from flask import Response
from marshmallow import Schema, fields

from ragauth.web.attachments import File, attachment
from ragauth.web.envelope import JSON_TYPE, encode_json


def json_file(schema: Schema, value: Any, *, name: str) -> Response:
    """`value` as the schema dumps it, to be saved under a name; its lists may be iterators."""
    write = partial(_write, schema=schema, value=value)
    return attachment(write, name=name, content_type=JSON_TYPE)


def _write(file: File, schema: Schema, value: Any) -> None:
    file.write(b'{"data":{')
    for position, (name, field) in enumerate(schema.fields.items()):
        file.write((b"," if position else b"") + encode_json(name) + b":")
        if isinstance(field, fields.List):
            item_schema = cast("fields.Nested", field.inner).schema
            file.write(b"[")
            for number, item in enumerate(getattr(value, name)):
                file.write((b"," if number else b"") + encode_json(item_schema.dump(item)))
            file.write(b"]")
        else:
            file.write(encode_json(field.serialize(name, value)))
    file.write(b"}}")
