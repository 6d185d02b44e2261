"""Dumping with a marshmallow schema, compiled once: the schema declares, this only does it faster.

marshmallow looks up attribute, accessor and serializer of each field again for each row, although
they depend on the schema alone. What cannot be compiled (a hook, an accessor of its own, a field
whose form this module does not know, an object that lacks an attribute) is left to `Schema.dump`,
so the result is the same in every case.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter
from types import NoneType
from typing import Any, NamedTuple

from marshmallow import Schema, fields

from ragauth.clock import format_stored_time, format_time
from ragauth.models.plain_rows import Rows
from ragauth.schemas.base import EitherSchema
from ragauth.schemas.fields import Id, Moment, Month
from ragauth.schemas.plain_uuid import PlainUuid
from ragauth.security.identifiers import encode_suffix


class Conversion(NamedTuple):
    """How one field's values become JSON: those of some types are left as they are.

    `of_text` does it with the text that SQLite stores for a value.
    """

    left: frozenset[type]
    convert: Callable[[Any], Any]
    of_text: Callable[[str], Any] | None = None

    def of_all(self, values: Sequence[Any]) -> Sequence[Any]:
        """The values of many objects, in their order."""
        left, convert = self.left, self.convert
        if left.issuperset(map(type, values)):
            return values
        return [value if type(value) in left else convert(value) for value in values]


class Dumper:
    """Dumps one object, or many, as the schema would."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._names: tuple[str, ...] = ()
        # None where every value is left as it is.
        self._conversions: tuple[Conversion | None, ...] = ()
        self.is_compiled = not _has_own_ways(schema) and self._compile()

    def dump(self, thing: Any) -> Any:
        """One object as a dict of JSON values."""
        if not self.is_compiled:
            return self._schema.dump(thing)
        get = self._of_mapping if isinstance(thing, dict) else self._of_object
        try:
            values = get(thing)
        except (AttributeError, KeyError, TypeError):
            return self._schema.dump(thing)
        return {
            name: value
            if conversion is None or type(value) in conversion.left
            else conversion.convert(value)
            for name, conversion, value in zip(self._names, self._conversions, values, strict=True)
        }

    def dump_all(self, things: Sequence[Any]) -> list[Any]:
        """Each of them, in their order."""
        if not things:
            return []
        columns = self._columns(things)
        if columns is None:
            dumped: list[Any] = self._schema.dump(things, many=True)
            return dumped
        names = self._names
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def _columns(self, things: Sequence[Any]) -> list[Sequence[Any]] | None:
        """The JSON values of each field; None if only the schema can do it.

        A field at a time, so that a value that needs no conversion costs next to nothing.
        """
        if not self.is_compiled:
            return None
        try:
            if isinstance(things, Rows):
                found = things.columns(self._wanted)
            else:
                get = self._of_mapping if isinstance(things[0], dict) else self._of_object
                values = zip(*map(get, things), strict=True)
                found = [(column, False) for column in values]
        except (AttributeError, KeyError, TypeError):
            # An attribute is missing, or only some of the objects are mappings.
            return None
        return [
            column if is_ready or conversion is None else conversion.of_all(column)
            for conversion, (column, is_ready) in zip(self._conversions, found, strict=True)
        ]

    def _compile(self) -> bool:
        known = []
        for name, field in self._schema.dump_fields.items():
            try:
                conversion = _conversion(field)
            except _UnknownForm:
                return False
            shown = name if field.data_key is None else field.data_key
            known.append((shown, field.attribute or name, conversion))
        # A getter of a single name gives no tuple.
        if len(known) < 2:
            return False
        self._names, attributes, self._conversions = zip(*known, strict=True)
        self._of_object = attrgetter(*attributes)
        self._of_mapping = itemgetter(*attributes)
        self._wanted = [
            (attribute, conversion and conversion.of_text)
            for attribute, conversion in zip(attributes, self._conversions, strict=True)
        ]
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


class _UnknownForm(Exception):
    """Only `Schema.dump` can convert the values of a field."""


def _conversion(field: fields.Field[Any]) -> Conversion | None:
    """The field's conversion of its values, None if it has none; raises _UnknownForm."""
    make = _CONVERSIONS.get(type(field))
    if field._CHECK_ATTRIBUTE and make is not None:
        return make(field)
    if field._CHECK_ATTRIBUTE and type(field)._serialize is fields.Field._serialize:
        return None
    raise _UnknownForm


def _text(field: fields.Field[Any]) -> Conversion:
    return _unless({str, NoneType}, field)


def _whole(field: fields.Field[Any]) -> Conversion:
    return _unless(set() if getattr(field, "as_string", False) else {int, NoneType}, field)


def _by_itself(field: fields.Field[Any]) -> Conversion:
    """The conversion of a field that depends on the value alone."""
    return _unless(set(), field)


def _mapping(field: fields.Field[Any]) -> Conversion:
    has_members = field.key_field or field.value_field  # type: ignore[attr-defined]
    return _by_itself(field) if has_members else _unless({dict}, field)


def _unless(left: set[type], field: fields.Field[Any]) -> Conversion:
    serialize = field._serialize
    return Conversion(frozenset(left), lambda value: serialize(value, None, None))


def _moment(_field: fields.Field[Any]) -> Conversion:
    return Conversion(_NOTHING, format_time, format_stored_time)


def _id(field: fields.Field[Any]) -> Conversion:
    begin = f"{field.kind}_"  # type: ignore[attr-defined]
    return Conversion(
        _NOTHING,
        lambda value: begin + encode_suffix(value.int),
        lambda text: begin + encode_suffix(int(text, 16)),
    )


def _items(field: fields.Field[Any]) -> Conversion:
    conversion = _conversion(field.inner)  # type: ignore[attr-defined]
    if conversion is None:
        return Conversion(_NOTHING, list)
    of_all = conversion.of_all
    return Conversion(_NOTHING, lambda items: [*of_all(items)])


def _nested(field: fields.Field[Any]) -> Conversion:
    schema: Schema = field.schema  # type: ignore[attr-defined]
    dumper = Dumper(schema)
    is_many = schema.many or field.many  # type: ignore[attr-defined]
    return Conversion(_NOTHING, dumper.dump_all if is_many else dumper.dump)


_NOTHING = frozenset({NoneType})
_CONVERSIONS: Mapping[type, Callable[[Any], Conversion]] = {
    fields.String: _text,
    fields.Integer: _whole,
    fields.Date: _by_itself,
    fields.Dict: _mapping,
    fields.List: _items,
    fields.Nested: _nested,
    Id: _id,
    Moment: _moment,
    Month: _by_itself,
    PlainUuid: _by_itself,
}
