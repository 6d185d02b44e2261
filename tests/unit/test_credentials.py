"""Which credential a request carries (RFC 6750 section 2.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragauth.errors import AuthenticationFailed, CredentialMalformed, CredentialMissing
from ragauth.security.key_format import is_token_shaped
from ragauth.web.credentials import bearer_token, presented_key
from tests.cases import for_each


class TestBearerToken:
    @for_each("header", ["Bearer abc", "bearer abc", "BEARER abc", "Bearer   abc  "])
    def test_the_scheme_is_case_insensitive(self, header: str) -> None:
        assert bearer_token(header) == "abc"

    @for_each(
        "header", [None, "", " ", "\t", "Bearer", "bearer", "Bearer ", " Bearer  ", "Bearer \t"]
    )
    def test_no_header_and_no_token_in_it_are_a_missing_credential(
        self, header: str | None
    ) -> None:
        with pytest.raises(CredentialMissing):
            bearer_token(header)

    @for_each(
        "header", ["Basic abc", "Basic", ", ,", "Bearer a b", "Bearer é", "abc", "Bearer, Bearer"]
    )
    def test_anything_else_is_malformed(self, header: str) -> None:
        with pytest.raises(CredentialMalformed):
            bearer_token(header)

    @given(st.text())
    def test_no_header_makes_it_fail_otherwise(self, header: str) -> None:
        for text in (header, f"Bearer {header}"):
            try:
                assert bearer_token(text).isascii()
            except AuthenticationFailed:
                continue


class TestPresentedKey:
    def test_either_header_will_do(self) -> None:
        assert presented_key("Bearer abc", None) == "abc"
        assert presented_key(None, "abc") == "abc"
        assert presented_key("Bearer abc", "") == "abc"
        for blank in ("", " ", "Bearer", "bearer ", "Bearer  "):
            assert presented_key(blank, " abc ") == "abc"
            assert presented_key("Bearer abc", blank if not blank.strip() else None) == "abc"

    def test_the_same_key_twice_is_one(self) -> None:
        assert presented_key("Bearer abc", "abc") == "abc"

    @for_each("authorization", ["Bearer abcd", "Basic abc", "abc", "Bearer ABC"])
    def test_two_different_credentials_are_none(self, authorization: str) -> None:
        with pytest.raises(CredentialMalformed):
            presented_key(authorization, "abc")

    @for_each("authorization", [None, "", "Bearer", "Bearer "])
    @for_each("api_key", [None, "", " "])
    def test_none_is_missing(self, authorization: str | None, api_key: str | None) -> None:
        with pytest.raises(CredentialMissing):
            presented_key(authorization, api_key)


def test_a_token_has_three_parts_the_first_one_of_json() -> None:
    assert is_token_shaped("eyJ.b.c")
    # Keys of other systems have dots, too.
    assert not is_token_shaped("SG.abcdefgh.ijklmnop")
    assert not is_token_shaped("rag_live_abc")
    assert not is_token_shaped("a.b")
