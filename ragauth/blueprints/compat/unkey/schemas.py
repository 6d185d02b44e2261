"""What all of Unkey's answers have in common, and the shapes of its APIs."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import Schema, fields, post_dump

from ragauth.blueprints.compat.unkey.fields import API, PrefixedId
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Cursor, Flag, Name, Text, Whole


class UnkeySchema(Schema):
    """An answer: its clients refuse a null, so what is not there is left out.

    `nullable` has the names that may be null.
    """

    nullable: ClassVar[frozenset[str]] = frozenset()

    @post_dump
    def _leave_out_nulls(self, dumped: Mapping[str, Any], **_kwargs: Any) -> dict[str, Any]:
        return {
            name: value
            for name, value in dumped.items()
            if value is not None or name in self.nullable
        }


def nested(schema: type[RequestSchema], **options: Any) -> fields.Nested:
    """An object within a request; it may not be null."""
    return fields.Nested(schema, error_messages={"null": "May not be null"}, **options)


class UnkeyNothing(UnkeySchema):
    """An empty object: it was done."""


class UnkeyNewApi(RequestSchema):
    name = Name(minimum=3, maximum=255, required=True)


class UnkeyApiQuestion(RequestSchema):
    api_id = PrefixedId(API, required=True, data_key="apiId")


class UnkeyApiId(UnkeySchema):
    api_id = PrefixedId(API, required=True, data_key="apiId", attribute="id")


class UnkeyApi(UnkeySchema):
    id = PrefixedId(API, required=True)
    name = fields.String(required=True)


class UnkeyKeysQuestion(UnkeyApiQuestion):
    """`decrypt` and `revalidateKeysCache` change nothing: no key is kept, and nothing is cached."""

    limit = Whole(minimum=1, maximum=100, load_default=100)
    cursor = Cursor(load_default=None)
    external_id = Text(minimum=1, maximum=255, data_key="externalId", load_default=None)
    decrypt = Flag()
    revalidate_keys_cache = Flag(data_key="revalidateKeysCache")
