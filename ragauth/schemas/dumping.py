"""Dumping with a marshmallow schema, compiled once: the schema declares, this only does it faster.

marshmallow looks up attribute, accessor and serializer of each field again for each row, although
they depend on the schema alone. What cannot be compiled (a hook, an accessor of its own, a field
whose form this module does not know, an object that lacks an attribute) is left to `Schema.dump`,
so the result is the same in every case.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any

from marshmallow import Schema, fields

from ragauth.clock import format_time
from ragauth.schemas.base import EitherSchema
from ragauth.schemas.fields import Id, Moment, Month
from ragauth.schemas.plain_uuid import PlainUuid
from ragauth.security.identifiers import encode_suffix

Convert = Callable[[Any], Any]


class Dumper:
    """Dumps one object, or many, as the schema would."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._names: tuple[str, ...] = ()
        self._converts: tuple[Convert, ...] = ()
        self._attributes: tuple[str, ...] = ()
        self.is_compiled = not _has_own_ways(schema) and self._compile()

    def dump(self, thing: Any) -> Any:
        """One object as a dict of JSON values."""
        return self._dump_compiled(thing) if self.is_compiled else self._schema.dump(thing)

    def dump_all(self, things: Sequence[Any]) -> list[Any]:
        """Each of them, in their order."""
        if not self.is_compiled:
            dumped: list[Any] = self._schema.dump(things, many=True)
            return dumped
        return [self._dump_compiled(thing) for thing in things]

    def _compile(self) -> bool:
        known = []
        for name, field in self._schema.dump_fields.items():
            convert = _conversion(field)
            if convert is None:
                return False
            shown = name if field.data_key is None else field.data_key
            known.append((shown, field.attribute or name, convert))
        # A getter of a single name gives no tuple.
        if len(known) < 2:
            return False
        self._names, self._attributes, self._converts = zip(*known, strict=True)
        self._of_object = attrgetter(*self._attributes)
        self._of_mapping = itemgetter(*self._attributes)
        return True

    def _dump_compiled(self, thing: Any) -> Any:
        try:
            values = self._of_mapping(thing) if isinstance(thing, dict) else self._of_object(thing)
        except (AttributeError, KeyError):
            return self._schema.dump(thing)
        return {
            name: convert(value)
            for name, convert, value in zip(self._names, self._converts, values, strict=True)
        }


class EitherDumper:
    """Dumps what an EitherSchema has one of; all of a page are of the same type."""

    def __init__(self, schema: EitherSchema) -> None:
        self._dumpers = {kind: dumper_of(member) for kind, member in schema.members.items()}

    def dump(self, thing: Any) -> Any:
        """One object as a dict of JSON values."""
        return self._dumpers[type(thing)].dump(thing)

    def dump_all(self, things: Sequence[Any]) -> list[Any]:
        """Each of them, in their order."""
        return self._dumpers[type(things[0])].dump_all(things) if things else []


def dumper_of(schema: Schema) -> "Dumper | EitherDumper":
    """What dumps with a schema."""
    return EitherDumper(schema) if isinstance(schema, EitherSchema) else Dumper(schema)


def _has_own_ways(schema: Schema) -> bool:
    kind = type(schema)
    return (
        kind.dump is not Schema.dump
        or kind.get_attribute is not Schema.get_attribute
        or schema.dict_class is not dict
        or any(schema._hooks[tag] for tag in ("pre_dump", "post_dump"))
    )


def _conversion(field: fields.Field[Any]) -> Convert | None:
    """The field's conversion of a value; None if only `Schema.dump` can do it."""
    if not field._CHECK_ATTRIBUTE:
        return None
    make = _CONVERSIONS.get(type(field))
    if make is not None:
        return make(field)
    return _same if type(field)._serialize is fields.Field._serialize else None


def _same(value: Any) -> Any:
    return value


def _text(field: fields.Field[Any]) -> Convert:
    def convert(value: Any) -> Any:
        return value if type(value) is str else field._serialize(value, None, None)

    return convert


def _whole(field: fields.Field[Any]) -> Convert | None:
    if getattr(field, "as_string", False):
        return None

    def convert(value: Any) -> Any:
        return value if type(value) is int else field._serialize(value, None, None)

    return convert


def _moment(_field: fields.Field[Any]) -> Convert:
    return lambda value: None if value is None else format_time(value)


def _id(field: fields.Field[Any]) -> Convert:
    begin = f"{field.kind}_"  # type: ignore[attr-defined]
    return lambda value: None if value is None else begin + encode_suffix(value.int)


def _by_itself(field: fields.Field[Any]) -> Convert:
    """The conversion of a field that depends on the value alone."""
    serialize = field._serialize
    return lambda value: serialize(value, None, None)


def _items(field: fields.Field[Any]) -> Convert | None:
    convert = _conversion(field.inner)  # type: ignore[attr-defined]
    if convert is None:
        return None
    return lambda value: None if value is None else [convert(item) for item in value]


def _nested(field: fields.Field[Any]) -> Convert:
    schema: Schema = field.schema  # type: ignore[attr-defined]
    dumper = Dumper(schema)
    is_many = schema.many or field.many  # type: ignore[attr-defined]
    dump = dumper.dump_all if is_many else dumper.dump
    return lambda value: None if value is None else dump(value)


_CONVERSIONS: Mapping[type, Callable[[Any], Convert | None]] = {
    fields.String: _text,
    fields.Integer: _whole,
    fields.Date: _by_itself,
    fields.Dict: _by_itself,
    fields.List: _items,
    fields.Nested: _nested,
    Id: _id,
    Moment: _moment,
    Month: _by_itself,
    PlainUuid: _by_itself,
}
