"""The service against its own document: schemathesis asks, all of its checks look at the answers.

No answer is a server error, and none is of a status, a type, a form or a header that the document
does not name, or is refused for a reason that the route does not declare. `make test-fuzz`
asks 200 times for each route and credential.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from flask import Flask
from hypothesis import strategies as st

from ragauth.blueprints.reference import HOUSE_FACE
from ragauth.security.plain_text import find_deceptive
from tests.fuzz.callers import Caller, KeyHolder, NewCaller, Service, User

Declared = Mapping[tuple[str, str], set[tuple[int, str, str | None]]]

if TYPE_CHECKING:
    from schemathesis import Case

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))
_IS_LONG = EXAMPLES > 20

# Fewer than an account may change in a minute: what is too much is not what is asked here.
_MOST_ASKED = 100
# A short run has no question to spare for somebody else's ids.
_IS_OWN = st.booleans() if _IS_LONG else st.just(True)

_SETTINGS = hypothesis.settings(
    max_examples=max(1, EXAMPLES // 2),
    deadline=None,
    database=None,
    derandomize=not _IS_LONG,
    phases=[hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if _IS_LONG else [])],
    suppress_health_check=list(hypothesis.HealthCheck),
)
# The request of a caller whom a guard refuses is not read.
_FOR_THE_REFUSED = _SETTINGS if _IS_LONG else hypothesis.settings(_SETTINGS, max_examples=1)

# Without a seed the source of each test is read, to make one.
_seeded = (lambda test: test) if _IS_LONG else hypothesis.seed(0)

# What fits the document may be refused all the same, for what only the service knows.
_MAY_BE_REFUSED = {
    "/api/auth/api-keys": "kind, agent and origins must go together",
    "/api/auth/api-keys/{key_id}": "only a publishable key has origins",
    "/api/agents/{agent_id}/api-keys": "kind and origins must go together",
    "/api/v1/internal/accounts": "the plans are the operator's",
    "/api/v1/internal/accounts/{account_id}": "the plans are the operator's",
    "/api/auth/usage": "`from` may not be after `to`",
    "/api/v1/internal/usage": "`from` may not be after `to`",
    "/api/v1/internal/usage/top": "the meters are the operator's",
}

# What does not fit may be accepted all the same.
_MAY_BE_ACCEPTED = {
    "/api/v1/usage/report": "each event is judged alone, and the answer tells which are bad",
}

_WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=20)


def _register_formats() -> None:
    """What the document's formats mean to the service beyond the pattern of a string."""
    import schemathesis  # noqa: PLC0415

    hosts = st.sampled_from(["example.com", "mail.example.org"])
    formats = {
        "email": st.builds("{}@{}".format, _WORDS, hosts),
        "password": st.builds("{} of the reeds".format, _WORDS),
        "date-time": st.datetimes(
            min_value=_year(2100), max_value=_year(9000), timezones=st.none()
        ).map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}Z"),
        "ip-network": st.ip_addresses().map(str),
        # Without characters that deceive who reads it.
        "name": st.text(
            st.characters(categories=("L", "N", "P", "Sm", "Sc", "Zs")), max_size=100
        ).filter(lambda name: find_deceptive(name) is None),
        "external-id": _WORDS,
        "origin": st.builds("https://{}.example.com".format, _WORDS),
    }
    for name, strategy in formats.items():
        schemathesis.openapi.format(name, strategy)


def _year(number: int) -> Any:
    import datetime  # noqa: PLC0415

    return datetime.datetime(number, 1, 1)  # noqa: DTZ001


@pytest.fixture(scope="module")
def operations(sqlite_app: Flask) -> list[Any]:
    import schemathesis  # noqa: PLC0415

    _register_formats()
    schema = schemathesis.openapi.from_wsgi("/openapi.json", sqlite_app)
    # A NUL is a fault in every string, as the document says in words.
    schema.config.generation.update(allow_x00=False)
    # The caller brings the credential; what it does not bring is not made up.
    schema.config.generation.update(with_security_parameters=False)
    # A string that is longer than the whole body may be.
    schema.config.checks.negative_data_rejection.expected_statuses += ["413"]
    return [result.ok() for result in schema.get_all_operations()]


@pytest.fixture(scope="module")
def declared(sqlite_app: Flask) -> Declared:
    """What each route may refuse for: status, code and reason."""
    from ragauth.web.openapi.document import routes_of  # noqa: PLC0415
    from ragauth.web.openapi.failures import errors_by_status  # noqa: PLC0415

    return {
        (route.path, route.method): {
            (status, error.code, error.details.get("reason"))
            for status, errors in errors_by_status(
                route.declaration, route.path, route.method, HOUSE_FACE.rendering
            ).items()
            for error in errors
        }
        for route in routes_of(sqlite_app, HOUSE_FACE)
    }


@pytest.mark.parametrize("new_caller", [Caller, User, KeyHolder, Service])
def test_every_answer_is_in_the_document(
    sqlite_app: Flask, operations: list[Any], declared: Declared, new_caller: NewCaller
) -> None:
    from schemathesis.generation import GenerationMode  # noqa: PLC0415

    caller = new_caller(sqlite_app)
    assert len(operations) > 40
    faults, succeeded = [], set()
    for operation in operations:
        if not _concerns(operation, caller):
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                statuses = _ask(operation, mode, caller, declared)
            # One route's fault must not hide another's.
            except (Exception, BaseExceptionGroup) as fault:
                faults.append(f"{operation.label}: {_describe(fault)}")
            else:
                if any(status < 300 for status in statuses):
                    succeeded.add(operation.label)
                # The request of a caller whom a guard refuses is not read.
                if not _IS_LONG and {401, 403} >= set(statuses):
                    break
    assert not faults, "\n\n".join(faults)
    assert len(succeeded) >= caller.least_successes, f"only {sorted(succeeded)}"


def _concerns(operation: Any, caller: Caller) -> bool:
    """A short run leaves out routes that want another credential; a long one asks all of all."""
    wanted = {scheme for one in operation.definition.raw.get("security", []) for scheme in one}
    return _IS_LONG or caller.scheme is None or caller.scheme in wanted


def _ask(operation: Any, mode: Any, caller: Caller, declared: Declared) -> list[int]:
    """Send what the route takes, or what it does not; the statuses that came back."""
    from hypothesis.errors import Unsatisfiable  # noqa: PLC0415
    from schemathesis.checks import load_all_checks  # noqa: PLC0415
    from schemathesis.specs.openapi.checks import (  # noqa: PLC0415
        negative_data_rejection,
        positive_data_acceptance,
    )

    load_all_checks()
    statuses: list[int] = []
    is_refused = caller.scheme is None and "security" in operation.definition.raw
    excluded = [positive_data_acceptance] if operation.path in _MAY_BE_REFUSED else []
    if operation.path in _MAY_BE_ACCEPTED:
        excluded.append(negative_data_rejection)

    @_seeded
    @(_FOR_THE_REFUSED if is_refused else _SETTINGS)
    @hypothesis.given(case=operation.as_strategy(mode), is_own=_IS_OWN)
    def ask(case: "Case", is_own: bool) -> None:
        if is_own and mode.is_positive:
            case.path_parameters = {
                name: caller.ids.get(name, value)
                for name, value in (case.path_parameters or {}).items()
            }
        if mode.is_positive:
            case.body = _without_fractions(case.body)
        headers = dict(caller.headers())
        response = case.call(headers=headers)
        statuses.append(response.status_code)
        caller.asked += 1
        # It may have ended the session, used up the plan, deleted the account.
        has_changed = case.method != "GET" and response.status_code < 300
        if has_changed or response.status_code == 429 or caller.asked == _MOST_ASKED:
            caller.renew()
        case.validate_response(response, excluded_checks=excluded, headers=headers)
        if response.status_code >= 400 and response.content:
            refusal = response.json()["error"]
            reason = refusal.get("details", {}).get("reason")
            told = (response.status_code, refusal["code"], reason)
            assert told in declared[operation.path, operation.method.lower()], told

    try:
        ask()
    except Unsatisfiable:
        # Nothing can be wrong with a request that has no parts.
        assert mode.is_negative
    return statuses


def _without_fractions(body: Any) -> Any:
    """To JSON Schema 3.0 is a whole number; the document says in words that here it is none."""
    if isinstance(body, float) and body.is_integer():
        return int(body)
    if isinstance(body, dict):
        return {name: _without_fractions(value) for name, value in body.items()}
    return body


def _describe(fault: BaseException) -> str:
    parts = getattr(fault, "exceptions", None) or [fault]
    return " | ".join(f"{type(part).__name__}: {part}"[:600] for part in parts)
