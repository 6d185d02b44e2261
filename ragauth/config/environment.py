"""The environment: all variables are read in the same way, and faults are collected by name."""

import difflib
import os
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from marshmallow import ValidationError

from ragauth.config.settings_file import SETTINGS_FILE, read_settings_file

T = TypeVar("T")
D = TypeVar("D")
Check = Callable[[T], object]

PREFIX = "RAGAUTH_"
# Settings without a prefix: every server reads them under these names.
SERVER_NAMES = ("HOST", "PORT", "WEB_CONCURRENCY", "WEB_THREADS", "SCRIPT_NAME")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,100}")
_FLAGS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
# Variables of the examples, which are clients of the service: both may run in one shell.
_CLIENTS = {"RAGAUTH_URL", "RAGAUTH_SERVICE_KEY", "RAGAUTH_API"}
# Settings of earlier versions, with what to do now.
_GONE = {
    "RAGAUTH_PLANS_FILE": (
        "is no longer read; write its plans as [plans.trial] … into a policy file, and name that"
        " in RAGAUTH_POLICY_FILE"
    )
}
_ADDRESS = r"[0-9A-Fa-f.:]+"
_NUMBER = r"[0-9]{1,5}"
# Kubernetes sets variables for each Service of the namespace; one may be named `ragauth` or
# `ragauth-…`.
_SERVICE_LINKS = [
    (re.compile(rf"RAGAUTH_(\w+_)?{name}", re.ASCII), re.compile(value))
    for name, value in (
        (r"SERVICE_HOST", _ADDRESS),
        (r"SERVICE_PORT(_\w+)?", _NUMBER),
        (r"PORT(_[0-9]+_(TCP|UDP|SCTP))?", rf"(tcp|udp|sctp)://(\[{_ADDRESS}\]|[0-9.]+):{_NUMBER}"),
        (r"PORT_[0-9]+_(TCP|UDP|SCTP)_PROTO", r"tcp|udp|sctp"),
        (r"PORT_[0-9]+_(TCP|UDP|SCTP)_PORT", _NUMBER),
        (r"PORT_[0-9]+_(TCP|UDP|SCTP)_ADDR", _ADDRESS),
    )
]


def read_variables() -> dict[str, str]:
    """The environment, with variables of the settings file that are not in the environment.

    Raises SettingsError for a file that cannot be read.
    """
    path = os.environ.get(SETTINGS_FILE, "").strip()
    variables = read_settings_file(path) if path else {}
    return variables | {name: value for name, value in os.environ.items() if value.strip()}


class Variables:
    """Reads the variables whose names begin with `prefix`, by default those of the environment.

    White space around a value is dropped; an empty value counts as unset. A value that cannot be
    parsed, or that a check refuses with a ValidationError, is a fault; the default is used instead.
    """

    def __init__(self, prefix: str = "", variables: Mapping[str, str] | None = None) -> None:
        self._prefix = prefix
        self._variables = read_variables() if variables is None else variables
        self.names: set[str] = set()
        self.faults: list[str] = []
        # The names of variables with white space around the value.
        self.trimmed: list[str] = []

    def text(self, name: str, default: D, *checks: Check[str]) -> str | D:
        return self._read(name, default, str, checks)

    def number(self, name: str, default: D, *checks: Check[int]) -> int | D:
        return self._read(name, default, _whole_number, checks)

    def flag(self, name: str, default: D) -> bool | D:
        return self._read(name, default, _flag, ())

    def words(self, name: str, default: D, *checks: Check[tuple[str, ...]]) -> tuple[str, ...] | D:
        """The parts between commas, without white space around them; empty parts are dropped."""
        return self._read(name, default, _words, checks)

    def path(self, name: str, default: D, *checks: Check[Path]) -> Path | D:
        """A path; `~` at its beginning is the home folder."""
        return self._read(name, default, expand_home, checks)

    def parsed(self, name: str, default: D, parse: Callable[[str], T]) -> T | D:
        """The result of `parse` for the text; it raises ValidationError for a faulty one."""
        return self._read(name, default, parse, ())

    def raw(self, name: str) -> str:
        """The value as it was given, or "" if there is none."""
        return self._variables.get(self._prefix + name, "")

    def fault(self, name: str, words: str) -> None:
        self.faults.append(f"{self._prefix}{name}: {words}")

    def _read(
        self, name: str, default: D, parse: Callable[[str], T], checks: Collection[Check[T]]
    ) -> T | D:
        self.names.add(self._prefix + name)
        raw = self.raw(name)
        text = raw.strip()
        if not text:
            return default
        if text != raw:
            self.trimmed.append(self._prefix + name)
        try:
            _check_is_text(text)
            value = parse(text)
            for check in checks:
                check(value)
        except ValidationError as error:
            for message in error.messages:
                self.fault(name, str(message))
            return default
        return value


def unknown_settings(known: Collection[str], variables: Mapping[str, str]) -> list[str]:
    """A fault for each variable with the service's prefix that it does not know."""
    faults = []
    for name, value in sorted(variables.items()):
        if not name.startswith(PREFIX) or name in known or name in _CLIENTS:
            continue
        if not value.strip() or is_service_link(name, value):
            continue
        if name in _GONE:
            faults.append(f"{name}: {_GONE[name]}")
            continue
        # The server's settings are often written with the prefix, which they do not have.
        bare = name.removeprefix(PREFIX)
        nearest = (
            [bare] if bare in SERVER_NAMES else difflib.get_close_matches(name, sorted(known), 1)
        )
        meant = f"; did you mean {nearest[0]}?" if nearest else ""
        faults.append(f"{name}: there is no such setting{meant}")
    return faults


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes has made this variable for a Service, in name and value."""
    return any(
        names.fullmatch(name) and values.fullmatch(value) for names, values in _SERVICE_LINKS
    )


def expand_home(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValidationError("begins with ~, and there is no such home folder") from error


def _check_is_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValidationError("must be UTF-8 text") from error


def _whole_number(text: str) -> int:
    if _WHOLE_NUMBER.fullmatch(text) is None:
        raise ValidationError("must be a whole number in digits, such as 10")
    return int(text)


def _flag(text: str) -> bool:
    try:
        return _FLAGS[text.lower()]
    except KeyError:
        raise ValidationError("must be true or false") from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for part in text.split(",") if (word := part.strip()))
