"""An answer of any length in the envelope, written to a file item by item before it is sent.

It is not streamed: a failure halfway gives an error instead of half a document, and a slow client
keeps no transaction open. The file has no name on the disk. A short answer stays in memory.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import Any, cast

from flask import Response
from marshmallow import Schema, fields

from ragauth.extensions import settings
from ragauth.web.envelope import JSON_TYPE, encode_json

_IN_MEMORY_BYTES = 1024 * 1024
_CHUNK_BYTES = 64 * 1024


def attachment(schema: Schema, value: Any, *, name: str) -> Response:
    """`value` as the schema dumps it, to be saved under a name; its lists may be iterators."""
    with ExitStack() as opened:
        file = opened.enter_context(
            SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(settings().instance_dir))
        )
        _write(file, schema, value)
        length = file.tell()
        file.seek(0)
        if length <= _IN_MEMORY_BYTES:
            response = Response(file.read(), 200, content_type=JSON_TYPE)
        else:
            # The file stays open until the answer is sent; a HEAD reads nothing of it.
            response = Response(_chunks(file), 200, content_type=JSON_TYPE)
            response.call_on_close(opened.pop_all().close)
    response.content_length = length
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _chunks(file: "SpooledTemporaryFile[bytes]") -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _write(file: "SpooledTemporaryFile[bytes]", schema: Schema, value: Any) -> None:
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
