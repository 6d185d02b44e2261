"""The compiled dump gives what marshmallow's own gives, for the schemas of all routes."""

import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

from flask import Flask
from marshmallow import Schema, fields, post_dump

from ragauth.schemas.accounts import AccountSchema
from ragauth.schemas.api_keys import IssuedKeySchema, KeySchema
from ragauth.schemas.dumping import Dumper
from ragauth.schemas.events import EventSchema
from ragauth.schemas.fields import Id, Moment, Month
from ragauth.schemas.plain_uuid import PlainUuid
from ragauth.schemas.usage import UsageSchema
from ragauth.schemas.webhooks import IssuedWebhookSchema
from tests.cases import for_each

_MOMENT = datetime(2026, 1, 15, 10, 30, 0, 123456, UTC)
_ELSEWHERE = _MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
_UUID = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")

# What a field of each type may be given.
_VALUES: dict[type[fields.Field[Any]], list[Any]] = {
    fields.String: ["text", "", "ü\u2028", None],
    fields.Integer: [0, 7, 10**12, None],
    fields.Boolean: [True, False],
    fields.Date: [date(2026, 2, 28), None],
    fields.Dict: [{"a": {"b": [1]}}, {}, None],
    fields.Raw: [{"a": 1}, [1], None],
    fields.List: [["a", "b"], [], None],
    Id: [_UUID, uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), None],
    Month: [date(2026, 2, 1), None],
    Moment: [_MOMENT, _ELSEWHERE, None],
    PlainUuid: [_UUID, None],
}

_NUMBERS: list[Any] = [{"a": 1, "b": 10**12}, {}, None]


def _examples(schema: Schema) -> list[dict[str, Any]]:
    """Things with each value of each field, as many as the field with the most values has."""
    many = max(map(len, _VALUES.values()))
    things: list[dict[str, Any]] = []
    for number in range(many):
        thing: dict[str, Any] = {}
        for name, field in schema.dump_fields.items():
            *outer, last = (field.attribute or name).split(".")
            place = thing
            for part in outer:
                place = place.setdefault(part, {})
            if isinstance(field, fields.Nested):
                one = None if number == 0 else _examples(field.schema)[number]
                place[last] = [one] * number if field.many else one
            else:
                of_numbers = isinstance(field, fields.Dict) and field.value_field is not None
                values = _NUMBERS if of_numbers else _VALUES[type(field)]
                place[last] = values[number % len(values)]
        things.append(thing)
    return things


def _as_objects(thing: Any, schema: Schema) -> Any:
    """The same with attributes in the place of names; a dict that a field dumps stays one."""
    whole = {
        field.attribute or name
        for name, field in schema.dump_fields.items()
        if isinstance(field, fields.Dict | fields.Raw)
    }
    nested = {
        field.attribute or name: field.schema
        for name, field in schema.dump_fields.items()
        if isinstance(field, fields.Nested)
    }
    if isinstance(thing, list):
        return [_as_objects(item, schema) for item in thing]
    if not isinstance(thing, dict):
        return thing
    return SimpleNamespace(
        **{
            name: value if name in whole else _as_objects(value, nested.get(name, schema))
            for name, value in thing.items()
        }
    )


def _answers(app: Flask) -> list[Schema]:
    """The schemas of all routes, those of both forms of an answer too."""
    found: dict[type[Schema], Schema] = {}
    for view in app.view_functions.values():
        declaration = getattr(view, "declaration", None)
        schema = None if declaration is None else declaration.data
        for each in [] if schema is None else [schema, *getattr(schema, "members", {}).values()]:
            # Of a list its members.
            found[type(each)] = type(each)(many=False) if each.many else each
    return list(found.values())


def test_every_answer_of_a_route_is_dumped_as_marshmallow_dumps_it(app: Flask) -> None:
    schemas = [schema for schema in _answers(app) if not hasattr(schema, "members")]

    assert len(schemas) > 20
    for schema in schemas:
        if isinstance(schema, IssuedKeySchema | IssuedWebhookSchema):
            continue
        for thing in _examples(schema):
            for form in (thing, _as_objects(thing, schema)):
                assert Dumper(schema).dump(form) == Schema.dump(schema, form), type(schema)


@for_each("schema", [KeySchema, EventSchema, UsageSchema, AccountSchema])
def test_what_lists_are_made_of_is_compiled(schema: type[Schema]) -> None:
    assert Dumper(schema()).is_compiled


def test_many_are_dumped_in_their_order() -> None:
    schema = UsageSchema()
    things = [_as_objects(thing, schema) for thing in _examples(schema)]

    assert Dumper(schema).dump_all(things) == schema.dump(things, many=True)
    assert Dumper(schema).dump_all([]) == []


def test_an_attribute_that_is_missing_is_left_out() -> None:
    class Form(Schema):
        name = fields.String()
        text = fields.String(data_key="shown", dump_default="nothing")

    dumper = Dumper(Form())

    assert dumper.dump({"name": "a"}) == {"name": "a", "shown": "nothing"}
    assert dumper.dump(SimpleNamespace(text="b")) == {"shown": "b"}


def test_a_schema_with_ways_of_its_own_keeps_them() -> None:
    class Hooked(Schema):
        name = fields.String()
        other = fields.String()

        @post_dump
        def _add(self, data: dict[str, Any], **_options: object) -> dict[str, Any]:
            return {**data, "added": True}

    class Computed(Schema):
        name = fields.String()
        length = fields.Function(lambda thing: len(thing["name"]))

    thing = {"name": "abc", "other": "d"}
    assert Dumper(Hooked()).dump(thing) == {**thing, "added": True}
    assert Dumper(Computed()).dump_all([thing]) == [{"name": "abc", "length": 3}]


def test_mappings_and_objects_may_be_mixed() -> None:
    schema = UsageSchema()
    thing = _examples(schema)[1]
    things = [thing, _as_objects(thing, schema)]

    assert Dumper(schema).dump_all(things) == [schema.dump(thing)] * 2
    assert Dumper(schema).dump_all(things[::-1]) == [schema.dump(thing)] * 2
