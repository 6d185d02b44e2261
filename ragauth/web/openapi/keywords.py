"""The JSON Schema (2020-12) keywords for the values of each field class."""

import re
from collections.abc import Iterable, Iterator
from functools import singledispatch
from typing import Any

from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields

from ragauth.extensions import current_policy
from ragauth.policy import REQUESTS, SCOPE_NAME, Policy
from ragauth.policy.limits import LARGEST, MOST_LIMITS
from ragauth.policy.policy_file import METER_NAME
from ragauth.schemas.account_fields import (
    AccountName,
    Email,
    ExternalId,
    NewPassword,
    PresentedPassword,
    Username,
)
from ragauth.schemas.amounts import BodyAmounts, NamedLimits, QueryAmounts, QueryNames
from ragauth.schemas.fields import (
    AnyText,
    Choice,
    Cursor,
    Day,
    FeedCursor,
    Flag,
    Id,
    Items,
    Moment,
    Month,
    Name,
    Text,
    UsageCursor,
    Whole,
)
from ragauth.schemas.key_fields import Network, Origin
from ragauth.schemas.limits import AccountLimitList, KeyLimitList, LimitName
from ragauth.schemas.metadata import Metadata
from ragauth.schemas.metering import UsageEvents
from ragauth.schemas.plain_uuid import PlainUuid
from ragauth.schemas.scope_fields import AskedScopes, GivenScope, ManagedScope
from ragauth.security import passwords
from ragauth.security.identifiers import FEED

_SUFFIX = "[0-7][0-9a-hjkmnp-tv-z]{25}"
_SUFFIX_EXAMPLE = "01h455vb4pex5vsknk084sn02q"

Keywords = dict[str, Any]


@singledispatch
def keywords_of(_field: fields.Field[Any]) -> Keywords:
    """The keywords of a field's class; a subclass inherits its parent's."""
    return {}


@keywords_of.register
def _(_field: AnyText) -> Keywords:
    return {"type": "string"}


@keywords_of.register
def _(field: Text) -> Keywords:
    lengths = {"minLength": field.minimum} if field.minimum else {}
    return {**lengths, "type": "string", "maxLength": field.maximum}


@keywords_of.register
def _(field: Name) -> Keywords:
    lengths = {"minLength": field.minimum} if field.minimum else {}
    return {**lengths, "type": "string", "format": "name", "maxLength": field.maximum}


@keywords_of.register
def _(field: ExternalId) -> Keywords:
    return {"type": "string", "format": "external-id", "minLength": 1, "maxLength": field.maximum}


@keywords_of.register
def _(field: Metadata) -> Keywords:
    return {"type": "object", "additionalProperties": True, "maxProperties": field.MAX_NAMES}


@keywords_of.register
def _(field: Email) -> Keywords:
    return {"type": "string", "format": "email", "maxLength": field.maximum}


@keywords_of.register
def _(_field: NewPassword) -> Keywords:
    return {
        "type": "string",
        "format": "password",
        "minLength": passwords.MIN_LENGTH,
        "maxLength": passwords.MAX_LENGTH,
    }


@keywords_of.register
def _(field: PresentedPassword) -> Keywords:
    return {
        "type": "string",
        "format": "password",
        "maxLength": field.maximum,
    }


@keywords_of.register
def _(field: Username) -> Keywords:
    return {"type": "string", "pattern": f"^{field.FORM.pattern}$"}


@keywords_of.register
def _(field: Choice) -> Keywords:
    return {"type": "string", "enum": [*field.choices]}


@keywords_of.register
def _(field: LimitName) -> Keywords:
    return {"type": "string", "pattern": f"^{field.FORM.pattern}$"}


@keywords_of.register
def _(field: UsageEvents) -> Keywords:
    return {"type": "array", "minItems": field.minimum, "maxItems": field.maximum}


@keywords_of.register(AccountLimitList)
@keywords_of.register(KeyLimitList)
@keywords_of.register(NamedLimits)
def _(_field: fields.List[Any]) -> Keywords:
    return {"type": "array", "maxItems": MOST_LIMITS}


@keywords_of.register
def _(_field: BodyAmounts) -> Keywords:
    amount = {"type": "integer", "minimum": 0, "maximum": LARGEST}
    names = {"pattern": f"^{METER_NAME.pattern}$"}
    return {"type": "object", "propertyNames": names, "additionalProperties": amount}


@keywords_of.register
def _(field: QueryAmounts) -> Keywords:
    meters = [name for name in current_policy().meters if name != REQUESTS]
    # A parameter that may be repeated (RFC 6570 section 3.2.8): once for each meter.
    one = {"type": "string", "pattern": f"^(?:{'|'.join(meters)}):(?:{field.AMOUNT})$"}
    return {"type": "array", "maxItems": len(meters), "items": one}


@keywords_of.register
def _(_field: QueryNames) -> Keywords:
    return {"type": "array", "items": {"type": "string"}}


@keywords_of.register
def _(field: AskedScopes) -> Keywords:
    policy = current_policy()
    declared = "|".join(map(re.escape, policy.scopes))
    one = SCOPE_NAME.pattern if policy.open_scopes else f"(?:{declared})"
    return {
        "type": "string",
        "pattern": f"^{one}(?: {one})*$",
        "maxLength": field.maximum,
        "description": (
            "What the key must be good for: a scope, or several separated by spaces, of which all"
            f" are needed.\n\n{_told(policy, policy.scopes)}"
        ),
        "examples": [next(iter(policy.scopes))],
    }


@keywords_of.register
def _(field: GivenScope) -> Keywords:
    names = field.choices()
    return {"type": "string", "enum": [*names], "description": _told(current_policy(), names)}


@keywords_of.register
def _(field: ManagedScope) -> Keywords:
    policy, names = current_policy(), field.choices()
    if not policy.open_scopes:
        return {"type": "string", "enum": [*names], "description": _told(policy, names)}
    return {
        "type": "string",
        "pattern": f"^{SCOPE_NAME.pattern}$",
        "description": f"Any scope of this form. Declared are:\n\n{_told(policy, names)}",
    }


def _told(policy: Policy, names: Iterable[str]) -> str:
    """A list of scopes with what they are for, in Markdown."""
    return "\n".join(f"- `{name}`: {policy.scopes[name].description}" for name in names)


@keywords_of.register
def _(_field: Network) -> Keywords:
    # No maxLength: the format bounds the length, and blanks around the value are dropped.
    return {"type": "string", "format": "ip-network"}


@keywords_of.register
def _(field: Origin) -> Keywords:
    return {"type": "string", "format": "origin", "maxLength": field.maximum}


@keywords_of.register
def _(_field: Flag) -> Keywords:
    return {"type": "boolean"}


@keywords_of.register
def _(field: Whole) -> Keywords:
    return {"type": "integer", "minimum": field.minimum, "maximum": field.maximum}


@keywords_of.register
def _(field: Items) -> Keywords:
    return {"type": "array", "minItems": field.minimum, "maxItems": field.maximum}


@keywords_of.register
def _(_field: Moment) -> Keywords:
    return {
        "type": "string",
        "format": "date-time",
        "description": "RFC 3339, in UTC.",
        "examples": ["2026-02-16T10:30:00Z"],
    }


@keywords_of.register
def _(field: Id) -> Keywords:
    return {
        "type": "string",
        "pattern": f"^{field.kind}_{_SUFFIX}$",
        "description": f"`{field.kind}_` and 26 characters of lower-case Crockford base32.",
        "examples": [f"{field.kind}_{_SUFFIX_EXAMPLE}"],
    }


@keywords_of.register
def _(field: AccountName) -> Keywords:
    return {
        "type": "string",
        "pattern": f"^({field.kind}_{_SUFFIX}|ext:.+)$",
        "description": (
            f"`{field.kind}_` and 26 characters of lower-case Crockford base32; or `ext:` and the"
            " account's external id, percent-escaped, its slashes too (`ext:c%2F17`)."
        ),
        "examples": [f"{field.kind}_{_SUFFIX_EXAMPLE}"],
    }


@keywords_of.register
def _(_field: PlainUuid) -> Keywords:
    return {
        "type": "string",
        "format": "uuid",
        "examples": ["123e4567-e89b-12d3-a456-426614174000"],
    }


@keywords_of.register
def _(_field: Cursor) -> Keywords:
    return {"type": "string", "pattern": f"^{_SUFFIX}$", "description": _CURSOR}


@keywords_of.register
def _(_field: UsageCursor) -> Keywords:
    return {
        "type": "string",
        "pattern": rf"^[0-9]{{4}}-[0-9]{{2}}(-[0-9]{{2}})?\.{_SUFFIX}(\.(live|test))?$",
        "description": _CURSOR,
    }


@keywords_of.register
def _(_field: FeedCursor) -> Keywords:
    # 63 bits of the 128.
    return {"type": "string", "pattern": f"^{FEED}_0{{13}}[0-7][0-9a-hjkmnp-tv-z]{{12}}$"}


@keywords_of.register
def _(_field: Month) -> Keywords:
    return {
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}$",
        "description": "A month of the calendar, in UTC.",
        "examples": ["2026-02"],
    }


@keywords_of.register
def _(_field: Day) -> Keywords:
    return {
        "type": "string",
        "format": "date",
        "description": "A day of the calendar, in UTC.",
        "examples": ["2026-02-16"],
    }


_CURSOR = "The `meta.next_cursor` of the page before."


def field_keywords(_converter: OpenAPIConverter, field: Any, ret: Keywords) -> Keywords:
    """The keywords of a field, besides apispec's; those of its declaration take precedence."""
    keywords = {**keywords_of(field), **dict(declared_keywords(field))}
    if field.allow_none and "$ref" not in ret and "anyOf" not in ret:
        kind = keywords.get("type", ret.get("type"))
        if isinstance(kind, str):
            keywords["type"] = [kind, "null"]
        if "enum" in keywords:
            # Leave null out of the enum: a code generator would make one more type for it.
            for one in (keywords, ret):
                one.pop("type", None)
            choices = {"type": "string", "enum": keywords.pop("enum")}
            keywords["anyOf"] = [choices, {"type": "null"}]
    if ret.get("default", False) in (None, ()):
        del ret["default"]
    return keywords


def declared_keywords(field: Any) -> Iterator[tuple[str, Any]]:
    return ((name, field.metadata[name]) for name in _METADATA if name in field.metadata)


_METADATA = ("description", "examples", "enum", "format", "pattern", "minimum", "maximum")
