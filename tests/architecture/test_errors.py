"""Every failure has a place in the contract."""

from collections.abc import Iterable, Iterator

import pytest

from ragauth import errors
from ragauth.errors import AuthenticationFailed, AuthorizationFailed, RagauthError
from ragauth.server import worker  # noqa: F401 - may have their own
from ragauth.web import error_handlers  # noqa: F401 - may have their own
from ragauth.web.check import gate  # noqa: F401 - may have their own

# The contract's table: what a client may build on.
_CODES = {
    "VALIDATION_ERROR": {400, 405, 413, 415},
    "AUTHENTICATION_ERROR": {401},
    "AUTHORIZATION_ERROR": {403},
    "NOT_FOUND": {404},
    "CONFLICT": {409},
    "RATE_LIMIT_EXCEEDED": {429},
    "USAGE_LIMIT_EXCEEDED": {429},
    "EXTERNAL_SERVICE_ERROR": {502, 503},  # 502 where a compat face asks an upstream
    "INTERNAL_ERROR": {500},
}
_REASONS = {
    AuthenticationFailed: {
        "missing",
        "malformed",
        "invalid",
        "expired",
        "revoked",
        "reused",
        "wrong_credential_type",
    },
    AuthorizationFailed: {
        "insufficient_scope",
        "wrong_agent",
        "account_suspended",
        "second_factor_required",
        "ip_not_allowed",
        "origin_not_allowed",
        "https_required",
    },
}


def _descendants(error: type[RagauthError]) -> Iterator[type[RagauthError]]:
    for child in error.__subclasses__():
        yield child
        yield from _descendants(child)


def _own_errors() -> set[type[RagauthError]]:
    return {error for error in _descendants(RagauthError) if error.__module__.startswith("ragauth")}


def _without_a_place(candidates: Iterable[type[RagauthError]]) -> set[str]:
    """Those whose code or status the contract does not know."""
    return {
        error.__name__ for error in candidates if error.status not in _CODES.get(error.code, ())
    }


def _without_words(candidates: Iterable[type[RagauthError]]) -> set[str]:
    """Those that would answer with the message of a crash."""
    return {error.__name__ for error in candidates if _words(error) in ("", RagauthError.message)}


def _words(error: type[RagauthError]) -> str:
    # The two abstract ones are never raised: their leaves speak for them.
    return "abstract" if error in _REASONS else error.message.strip()


def _with_a_strange_reason(candidates: Iterable[type[RagauthError]]) -> set[str]:
    return {
        error.__name__
        for error in candidates
        for family, reasons in _REASONS.items()
        if issubclass(error, family)
        and error is not family
        and getattr(error, "reason", None) not in reasons
    }


def test_every_error_has_a_code_and_a_status_of_the_contract() -> None:
    assert len(_own_errors()) > 20
    assert _without_a_place(_own_errors()) == set()


def test_every_code_of_the_contract_has_an_error() -> None:
    assert {error.code for error in _own_errors()} | {RagauthError.code} == set(_CODES)


def test_every_error_says_what_is_wrong() -> None:
    assert _without_words(_own_errors()) == set()


def test_every_refusal_has_a_reason_of_the_contract() -> None:
    assert _with_a_strange_reason(_own_errors()) == set()
    for family, reasons in _REASONS.items():
        leaves = [error for error in _own_errors() if issubclass(error, family)]
        told = {error.reason for error in leaves if error is not family}  # type: ignore[attr-defined]
        assert told == reasons


def test_every_error_is_defined_beside_the_others() -> None:
    strangers = {
        error.__name__
        for error in _own_errors()
        if not error.__module__.startswith(errors.__name__)
    }
    assert strangers == set()


class TestTheRulesThemselves:
    """Classes of this module are not the service's own, so that they disturb no rule above."""

    class _Teapot(RagauthError):
        code = "TEAPOT"
        status = 418

    class _WrongStatus(RagauthError):
        code = "NOT_FOUND"
        status = 410
        message = "Gone"

    class _OddReason(AuthorizationFailed):
        reason = "bad_mood"
        message = "Not today"

    @pytest.mark.parametrize("error", [_Teapot, _WrongStatus])
    def test_a_code_or_status_that_the_contract_lacks_is_found(
        self, error: type[RagauthError]
    ) -> None:
        assert _without_a_place([error]) == {error.__name__}

    def test_an_error_without_words_of_its_own_is_found(self) -> None:
        assert _without_words([self._Teapot]) == {"_Teapot"}

    def test_a_reason_that_the_contract_lacks_is_found(self) -> None:
        assert _with_a_strange_reason([self._OddReason]) == {"_OddReason"}
