"""Dumping with a marshmallow schema, compiled once: the schema declares, this only does it faster.

marshmallow looks up attribute, accessor and serializer of each field again for each row, although
they depend on the schema alone. What cannot be compiled (a hook, an accessor of its own, a field
whose form this module does not know, an object that lacks an attribute) is left to `Schema.dump`,
so the result is the same in every case.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter
from types import NoneType
from typing import Any

from marshmallow import Schema, fields

from ragauth.clock import format_time
from ragauth.schemas.base import EitherSchema
from ragauth.schemas.fields import Id, Moment, Month
from ragauth.schemas.plain_uuid import PlainUuid
from ragauth.security.identifiers import encode_suffix

# Converts the values of one field, of many objects, in their order.
Convert = Callable[[Sequence[Any]], Sequence[Any]]


class Dumper:
    """Dumps one object, or many, as the schema would."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._names: tuple[str, ...] = ()
        self._converts: tuple[Convert, ...] = ()
        self.is_compiled = not _has_own_ways(schema) and self._compile()

    def dump(self, thing: Any) -> Any:
        """One object as a dict of JSON values."""
        (dumped,) = self._dump_compiled([thing]) or [self._schema.dump(thing)]
        return dumped

    def dump_all(self, things: Sequence[Any]) -> list[Any]:
        """Each of them, in their order."""
        dumped = self._dump_compiled(things)
        if dumped is None:
            dumped = self._schema.dump(things, many=True)
        return dumped

    def _dump_compiled(self, things: Sequence[Any]) -> list[Any] | None:
        """None if only the schema can do it."""
        if not self.is_compiled:
            return None
        are_mappings = bool(things) and isinstance(things[0], dict)
        get = self._of_mapping if are_mappings else self._of_object
        try:
            rows = list(map(get, things))
        except (AttributeError, KeyError, TypeError):
            # An attribute is missing, or only some of the objects are mappings.
            return None
        # A field at a time, so that a value that needs no conversion costs next to nothing.
        columns = zip(*rows, strict=True)
        converted = [
            convert(column) for convert, column in zip(self._converts, columns, strict=False)
        ]
        names = self._names
        return [dict(zip(names, values, strict=True)) for values in zip(*converted, strict=True)]

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
        self._names, attributes, self._converts = zip(*known, strict=True)
        self._of_object = attrgetter(*attributes)
        self._of_mapping = itemgetter(*attributes)
        return True


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
    """The field's conversion of its values; None if only `Schema.dump` can do it."""
    if not field._CHECK_ATTRIBUTE:
        return None
    make = _CONVERSIONS.get(type(field))
    if make is not None:
        return make(field)
    return _same if type(field)._serialize is fields.Field._serialize else None


def _same(values: Sequence[Any]) -> Sequence[Any]:
    return values


def _text(field: fields.Field[Any]) -> Convert:
    return _same_if({str, NoneType}, field)


def _whole(field: fields.Field[Any]) -> Convert | None:
    return None if getattr(field, "as_string", False) else _same_if({int, NoneType}, field)


def _same_if(types: set[type], field: fields.Field[Any]) -> Convert:
    """The conversion of a field that leaves values of exactly these types as they are."""
    by_itself = _by_itself(field)
    return lambda values: values if types.issuperset(map(type, values)) else by_itself(values)


def _by_itself(field: fields.Field[Any]) -> Convert:
    """The conversion of a field that depends on the value alone."""
    serialize = field._serialize
    return lambda values: [serialize(value, None, None) for value in values]


def _moment(_field: fields.Field[Any]) -> Convert:
    return lambda values: [None if value is None else format_time(value) for value in values]


def _id(field: fields.Field[Any]) -> Convert:
    begin = f"{field.kind}_"  # type: ignore[attr-defined]
    return lambda values: [
        None if value is None else begin + encode_suffix(value.int) for value in values
    ]


def _items(field: fields.Field[Any]) -> Convert | None:
    convert = _conversion(field.inner)  # type: ignore[attr-defined]
    if convert is None:
        return None
    return lambda values: [None if items is None else [*convert(items)] for items in values]


def _nested(field: fields.Field[Any]) -> Convert:
    schema: Schema = field.schema  # type: ignore[attr-defined]
    dumper = Dumper(schema)
    is_many = schema.many or field.many  # type: ignore[attr-defined]
    dump = dumper.dump_all if is_many else dumper.dump
    return lambda values: [None if value is None else dump(value) for value in values]


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
