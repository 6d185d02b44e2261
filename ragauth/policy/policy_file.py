"""The policy file: TOML in, a policy out, or all of its faults with their places."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ragauth.policy.limits import LARGEST, MOST_LIMITS, REQUESTS, Limit
from ragauth.policy.policy import (
    DEFAULT_METERS,
    DEFAULT_PLANS,
    DEFAULT_SCOPES,
    FIRST_PLAN,
    SCOPE_NAME,
    Meter,
    Plan,
    Policy,
    Scope,
)
from ragauth.policy.windows import Window, read_window

MOST_SCOPES = 100
#: Beside `requests`.
MOST_METERS = 8
MOST_FEATURES = 50
LONGEST_DESCRIPTION = 500
METER_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
PLAN_NAME = re.compile(r"[a-z0-9-]{1,50}")
FEATURE = re.compile(r"[A-Za-z0-9_.:/-]{1,50}")

OPERATOR = "operator"
OWNER = "owner"

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# How `tomllib` ends a message; at the end of a document it tells no line.
_AT_LINE = re.compile(r"line ([0-9]+), column ([0-9]+)\)")
_WHOLE_NUMBER = f"Must be a whole number from 0 to {LARGEST}"
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Fault:
    """`place` is a key such as `plans.trial.limits.tokens.minute`, or a line where TOML ends."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class FaultyPolicy(Exception):
    """A policy file does not fit; it holds each fault, in the order of scopes, meters and plans."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def read_policy(content: bytes) -> Policy:
    """The policy of a file's content. Raises FaultyPolicy with all faults.

    Without a table of scopes, or of plans, the default ones hold; with one only those in it. The
    meter `requests` always is: the file may describe it.
    """
    document = _parse(content)
    reader = _Reader()
    root = reader.table("", document, {"open_scopes", "scopes", "meters", "plans"})
    open_scopes = reader.flag("open_scopes", root.get("open_scopes", False))
    scopes = reader.scopes(root["scopes"]) if "scopes" in root else DEFAULT_SCOPES
    meters = reader.meters(root.get("meters", {}))
    plans = reader.plans(root["plans"], meters) if "plans" in root else DEFAULT_PLANS
    if reader.faults:
        raise FaultyPolicy(reader.faults)
    return Policy(scopes, meters, plans, open_scopes)


def _parse(content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FaultyPolicy([Fault(f"line {line}", "Is not UTF-8 text")]) from error
    except RecursionError:
        raise FaultyPolicy([Fault("the file", "Its values are nested too deeply")]) from None
    except ValueError as error:
        raise FaultyPolicy([_fault_of_toml(str(error), content)]) from error


def _fault_of_toml(text: str, content: bytes) -> Fault:
    """What `tomllib` says, with the line first; at the end of the file that is the last one."""
    message, at, where = text.rpartition(" (at ")
    if not at:
        return Fault("the file", text)
    if (found := _AT_LINE.fullmatch(where)) is None:
        return Fault(f"line {len(content.splitlines()) or 1}", f"{message} ({where}")
    return Fault(f"line {found[1]}", f"{message} (column {found[2]})")


def place_of(*keys: str) -> str:
    """The place of a value, with its keys as TOML writes them."""
    return ".".join(key if _BARE_KEY.fullmatch(key) else json.dumps(key) for key in keys)


@dataclass(slots=True)
class _Reader:
    """Reads values by their places, and collects the faults."""

    faults: list[Fault] = field(default_factory=list)

    def fault(self, place: str, message: str) -> None:
        self.faults.append(Fault(place, message))

    def table(self, place: str, value: object, known: set[str] | None = None) -> dict[str, Any]:
        """The table at a place; settings that are not known are faults, and dropped."""
        if not isinstance(value, dict):
            self.fault(place, "Must be a table")
            return {}
        if known is None:
            return value
        for key, inner in value.items():
            if key not in known:
                self.fault(_inner(place, key), _unknown(place, key, inner, known))
        return {key: inner for key, inner in value.items() if key in known}

    def named(
        self, place: str, value: object, pattern: re.Pattern[str], most: int | None = None
    ) -> dict[str, Any]:
        """A table whose keys are names."""
        entries = self.table(place, value)
        for name in entries:
            if pattern.fullmatch(name) is None:
                self.fault(_inner(place, name), f"The name must match {pattern.pattern}")
        if most is not None and len(entries) > most:
            self.fault(place, f"Must be {most} at most; there are {len(entries)}")
        return entries

    def flag(self, place: str, value: object) -> bool:
        if not isinstance(value, bool):
            self.fault(place, "Must be true or false")
        return value is True

    def amount(self, place: str, value: object) -> int:
        # To Python, true and false are numbers.
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
            self.fault(place, _WHOLE_NUMBER)
            return 0
        return value

    def description(self, place: str, value: object) -> str:
        if value is _MISSING:
            self.fault(place, "Required")
        elif not isinstance(value, str):
            self.fault(place, "Must be text in quotation marks")
        elif not 1 <= len(value.strip()) <= LONGEST_DESCRIPTION or not value.isprintable():
            self.fault(place, f"Must be one line of 1 to {LONGEST_DESCRIPTION} characters")
        else:
            return value
        return ""

    def scopes(self, value: object) -> Mapping[str, Scope]:
        entries = self.named("scopes", value, SCOPE_NAME, MOST_SCOPES)
        if not entries and isinstance(value, dict):
            self.fault("scopes", f"Must have 1 to {MOST_SCOPES} scopes; drop it for the defaults")
        return {name: self._scope(name, entry) for name, entry in entries.items()}

    def _scope(self, name: str, value: object) -> Scope:
        place = place_of("scopes", name)
        if not isinstance(value, dict):
            self.fault(place, "Must be a table")
            return Scope(name, "")
        entry = self.table(place, value, {"description", "account_wide", "publishable", "grant"})
        grant = entry.get("grant", OWNER)
        if grant not in (OWNER, OPERATOR):
            self.fault(
                f"{place}.grant", f'Must be "{OWNER}", which it is without it, or "{OPERATOR}"'
            )
        return Scope(
            name,
            self.description(f"{place}.description", entry.get("description", _MISSING)),
            is_account_wide=self.flag(f"{place}.account_wide", entry.get("account_wide", False)),
            is_publishable=self.flag(f"{place}.publishable", entry.get("publishable", False)),
            for_operators=grant == OPERATOR,
        )

    def meters(self, value: object) -> Mapping[str, Meter]:
        entries = self.named("meters", value, METER_NAME)
        declared = len(entries.keys() - {REQUESTS})
        if declared > MOST_METERS:
            self.fault("meters", f"Must be {MOST_METERS} beside {REQUESTS}; there are {declared}")
        return dict(DEFAULT_METERS) | {
            name: self._meter(name, entry) for name, entry in entries.items()
        }

    def _meter(self, name: str, value: object) -> Meter:
        place = place_of("meters", name)
        entry = self.table(place, value, {"description"})
        if "description" not in entry:
            return DEFAULT_METERS.get(name) or Meter(name, name)
        return Meter(name, self.description(f"{place}.description", entry["description"]))

    def plans(self, value: object, meters: Mapping[str, Meter]) -> Mapping[str, Plan]:
        entries = self.named("plans", value, PLAN_NAME)
        if FIRST_PLAN not in entries and isinstance(value, dict):
            self.fault(place_of("plans", FIRST_PLAN), "Required: it is a new account's plan")
        return {name: self._plan(name, entry, meters) for name, entry in entries.items()}

    def _plan(self, name: str, value: object, meters: Mapping[str, Meter]) -> Plan:
        place = place_of("plans", name)
        if not isinstance(value, dict):
            self.fault(place, "Must be a table")
            return Plan(name, 0, 0, ())
        settings = {"max_keys", "max_agents", "limits", "features", "test"}
        entry = self.table(place, value, settings)
        return Plan(
            name,
            self.amount(f"{place}.max_keys", entry.get("max_keys")),
            self.amount(f"{place}.max_agents", entry.get("max_agents")),
            self._limits(f"{place}.limits", entry.get("limits", {}), meters),
            self._features(f"{place}.features", entry.get("features", [])),
            self.flag(f"{place}.test", entry.get("test", True)),
        )

    def _limits(self, place: str, value: object, meters: Mapping[str, Meter]) -> tuple[Limit, ...]:
        limits: dict[tuple[str, Window], tuple[str, Limit]] = {}
        count = 0
        for meter, windows in self.table(place, value).items():
            place_of_meter = _inner(place, meter)
            if meter not in meters:
                self.fault(
                    place_of_meter, f"There is no such meter; there are: {', '.join(meters)}"
                )
            for key, size in self.table(place_of_meter, windows).items():
                count += 1
                inner = _inner(place_of_meter, key)
                amount = self.amount(inner, size)
                try:
                    window = read_window(key)
                except ValueError as error:
                    self.fault(inner, str(error))
                    continue
                if (first := limits.get((meter, window))) is not None:
                    self.fault(inner, f"Is the same window as {first[0]}")
                    continue
                limits[meter, window] = (key, Limit(meter, window, amount))
        if count > MOST_LIMITS:
            self.fault(place, f"Must be {MOST_LIMITS} at most; there are {count}")
        return tuple(limit for _, limit in limits.values())

    def _features(self, place: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            self.fault(place, "Must be a list of words")
            return ()
        if len(value) > MOST_FEATURES:
            self.fault(place, f"Must be {MOST_FEATURES} at most; there are {len(value)}")
        for index, feature in enumerate(value):
            if not isinstance(feature, str) or FEATURE.fullmatch(feature) is None:
                self.fault(f"{place}[{index}]", f"Must be a word that matches {FEATURE.pattern}")
            elif feature in value[:index]:
                self.fault(f"{place}[{index}]", "Is there already")
        return tuple(feature for feature in value if isinstance(feature, str))


def _inner(place: str, key: str) -> str:
    return f"{place}.{place_of(key)}" if place else place_of(key)


def _unknown(place: str, key: str, value: object, known: set[str]) -> str:
    if not place and isinstance(value, dict) and "max_keys" in value:
        return f"Unknown setting; a plan is a table such as [{place_of('plans', key)}]"
    return f"Unknown setting; there are: {', '.join(sorted(known))}"
