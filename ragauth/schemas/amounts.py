"""Amounts by meter, and names of limits, as a question has them in its query or its body."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marshmallow import ValidationError, fields

from ragauth.extensions import current_policy
from ragauth.policy import REQUESTS, Policy
from ragauth.policy.limits import LARGEST, MOST_LIMITS
from ragauth.policy.policy_file import METER_NAME
from ragauth.schemas.about import about
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Whole
from ragauth.schemas.limits import LimitName

#: Amounts by meter, in the order of the question.
ByMeter = tuple[tuple[str, int], ...]

_AMOUNT = Whole(minimum=0, maximum=LARGEST)
_NOT_REQUESTS = "Requests are counted by themselves, and `cost` says how many they are"


def undeclared(by_meter: Iterable[tuple[str, int]], policy: Policy) -> dict[str, str]:
    """A fault for each meter that a question may not use."""
    faults = {}
    for meter, _amount in by_meter:
        if meter == REQUESTS:
            faults[meter] = _NOT_REQUESTS
        elif meter not in policy.meters:
            known = [name for name in policy.meters if name != REQUESTS]
            there = f"there are: {', '.join(known)}" if known else "the policy declares none"
            faults[meter] = f"There is no such meter; {there}"
    return faults


class QueryAmounts(fields.Field[ByMeter]):
    """Amounts in a query: the values of all parameters of the name, each `tokens:1200`."""

    #: The digits of an amount: up to 10^12.
    AMOUNT = "[0-9]{1,12}|10{12}"
    _FORM = re.compile(f"({METER_NAME.pattern}):({AMOUNT})")

    def _deserialize(
        self,
        value: Iterable[str],
        attr: str | None,
        data: Mapping[str, Any] | None,
        *,
        policy: Policy | None = None,
        **_kwargs: Any,
    ) -> ByMeter:
        found: dict[str, int] = {}
        faults = []
        for text in value:
            form = self._FORM.fullmatch(text)
            if form is None:
                faults.append(f"Must be a meter and an amount from 0 to {LARGEST}: tokens:1200")
            elif form[1] in found:
                faults.append(f"The meter {form[1]} is named more than once")
            else:
                found[form[1]] = int(form[2])
        faults += undeclared(found.items(), policy or current_policy()).values()
        if faults:
            raise ValidationError(faults)
        return tuple(found.items())


class QueryNames(fields.Field[tuple[str, ...]]):
    """Names of limits in a query. What is no name of a limit is left out: no key has such a one.

    So a gateway's client that sends `limit=50` with another meaning does no harm.
    """

    def _deserialize(
        self,
        value: Iterable[str],
        attr: str | None,
        data: Mapping[str, Any] | None,
        **_kwargs: Any,
    ) -> tuple[str, ...]:
        names = [text for text in value if LimitName.FORM.fullmatch(text)]
        return tuple(dict.fromkeys(names))


class BodyAmounts(fields.Field[ByMeter]):
    """Amounts in a body: an object with meters as names.

    With `is_new` they are of meters that the policy declares; else of any.
    """

    default_error_messages = {
        "required": "Required",
        "null": "May not be null",
        "invalid": "Must be an object of amounts by meter",
    }

    def __init__(self, *, is_new: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_new = is_new

    def _deserialize(
        self,
        value: Any,
        attr: str | None,
        data: Mapping[str, Any] | None,
        *,
        policy: Policy | None = None,
        **_kwargs: Any,
    ) -> ByMeter:
        if not isinstance(value, Mapping):
            raise self.make_error("invalid")
        faults: dict[str, list[str]] = {}
        if self.is_new:
            found = undeclared(((meter, 0) for meter in value), policy or current_policy())
            faults = {meter: [words] for meter, words in found.items()}
        for meter, amount in value.items():
            try:
                _AMOUNT.deserialize(amount)
            except ValidationError as error:
                faults.setdefault(meter, [str(message) for message in error.messages])
        if faults:
            raise ValidationError(faults)
        return tuple(value.items())


class NamedLimitSchema(RequestSchema):
    """A limit of the key that the question names."""

    name = LimitName(required=True, **about("What the key calls it.", "burst"))
    cost = Whole(
        minimum=0,
        maximum=LARGEST,
        allow_none=True,
        **about("What the check takes of it, in place of what it would take anyway."),
    )


class NamedLimits(fields.List[Any]):
    """The limits that a question names, each once; loaded as names with costs."""

    default_error_messages = {"invalid": "Not a list"}
    minimum = 0
    maximum = MOST_LIMITS

    def __init__(self, **kwargs: Any) -> None:
        nested = fields.Nested(NamedLimitSchema, error_messages={"null": "May not be null"})
        super().__init__(nested, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if len(value) > MOST_LIMITS:
            raise ValidationError(f"Must have at most {MOST_LIMITS} entries")
        loaded: list[Any] = super()._deserialize(value, *args, **kwargs)
        faults = dict(_repeated(loaded))
        if faults:
            raise ValidationError(faults)
        return tuple((item["name"], item.get("cost")) for item in loaded)


def _repeated(items: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, Any]]:
    seen = set()
    for position, item in enumerate(items):
        if item["name"] in seen:
            yield position, {"name": ["Named more than once"]}
        seen.add(item["name"])
