"""The Authorization header of a route that asks for an access token (RFC 6750 section 2.1)."""

import pytest

from tests.clients import Client, error, ok

ME = "/api/auth/me"


class TestHeaders:
    def test_the_scheme_is_case_insensitive(self, client: Client) -> None:
        member = client.sign_up()
        for scheme in ("Bearer", "bearer", "BEARER", "bEaReR"):
            ok(client.get(ME, headers={"Authorization": f"{scheme} {member.token}"}))

    def test_an_empty_header_is_none(self, client: Client) -> None:
        response = client.get(ME, headers={"Authorization": ""})
        error(response, 401, "AUTHENTICATION_ERROR", "missing")

    @pytest.mark.parametrize(
        "header",
        [
            *(", ,", "Bearer", "Bearer ", "Bearer  ", "Basic YTpi", "Token x", "Bearerx", "x", " "),
            *(
                "Bearer \xe9.\xe9.\xe9",
                "\xe9",
                "Bearer a b",
                "Bearer a.b.c, Bearer d.e.f",
                "Bearer \t",
            ),
            *('Digest username="x"', "Bearer x", "Bearer .", "Bearer a.b", "Bearer a.b.c.d"),
        ],
    )
    def test_what_is_no_bearer_token_is_malformed(self, client: Client, header: str) -> None:
        response = client.get(ME, headers={"Authorization": header})
        error(response, 401, "AUTHENTICATION_ERROR", "malformed")

    def test_two_headers_are_none(self, client: Client) -> None:
        member = client.sign_up()
        both = f"Bearer {member.token},Bearer {member.token}"
        response = client.get(ME, headers={"Authorization": both})
        error(response, 401, "AUTHENTICATION_ERROR", "malformed")

    def test_a_token_in_query_or_cookie_is_not_read(self, client: Client) -> None:
        """S27: no token in a URL."""
        token = client.sign_up().token
        response = client.get(f"{ME}?access_token={token}&jwt={token}")
        error(response, 401, "AUTHENTICATION_ERROR", "missing")
        response = client.get(ME, headers={"Cookie": f"access_token_cookie={token}"})
        error(response, 401, "AUTHENTICATION_ERROR", "missing")
