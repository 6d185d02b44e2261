"""Metadata: what an owner or an operator keeps with a key or an account, as a JSON object.

The service stores it, gives it back, and never looks at what it says.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, fields

from ragauth.schemas.fields import MESSAGES, Fault, is_unstorable

# A small body must not cause a much larger answer: each fault has up to five names in its path.
_MOST_FAULTS = 20


class Metadata(fields.Field[dict[str, Any]]):
    """A JSON object of bounded size, loaded as it is; the time grows with its bytes.

    Its size is that of its compact form in UTF-8, without white space. Names count in all objects
    together, and the object itself is the first level of the depth.
    """

    MAX_BYTES: ClassVar[int] = 4_096
    MAX_NAMES: ClassVar[int] = 50
    MAX_DEPTH: ClassVar[int] = 5

    default_error_messages = {**MESSAGES, "invalid": "Must be a JSON object"}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.make_error("invalid")
        seen = _Inspection()
        seen.look_at(value, ())
        faults = seen.faults
        if seen.names > self.MAX_NAMES:
            faults.append(
                Fault((), f"Must have at most {self.MAX_NAMES} names, in all its objects together")
            )
        # What is nested too deeply may be more than can be written: it has no size.
        if not seen.is_too_deep and _size(value) > self.MAX_BYTES:
            faults.append(
                Fault((), f"Must be at most {self.MAX_BYTES} bytes long as compact JSON in UTF-8")
            )
        if faults:
            raise ValidationError(faults)
        return value


class _Inspection:
    """One look at each value, down to the greatest depth."""

    def __init__(self) -> None:
        self.names = 0
        self.is_too_deep = False
        self.faults: list[Any] = []

    def look_at(self, value: Any, path: tuple[str | int, ...]) -> None:
        if isinstance(value, str):
            if is_unstorable(value):
                self._add(path, "May not contain NUL or lone surrogates")
        elif isinstance(value, int | float):
            # As RFC 8259, section 6, advises: what no double holds, other programs cannot read.
            if not -sys.float_info.max <= value <= sys.float_info.max:
                self._add(path, "Must be a number that a double can hold")
        elif isinstance(value, dict | list):
            if len(path) == Metadata.MAX_DEPTH:
                self.is_too_deep = True
                self._add(path, f"Must be nested at most {Metadata.MAX_DEPTH} levels deep")
            elif isinstance(value, dict):
                self._look_at_members(value, path)
            else:
                for position, item in enumerate(value):
                    self.look_at(item, (*path, position))

    def _look_at_members(self, value: dict[str, Any], path: tuple[str | int, ...]) -> None:
        self.names += len(value)
        for name, inner in value.items():
            if is_unstorable(name):
                self._add((*path, name), "The name may not contain NUL or lone surrogates")
            self.look_at(inner, (*path, name))

    def _add(self, path: tuple[str | int, ...], message: str) -> None:
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(Fault(path, message))
        elif len(self.faults) == _MOST_FAULTS:
            self.faults.append(Fault((), "There are more faults"))


def _size(value: dict[str, Any]) -> int:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))
