"""Forged and confused tokens, on a route that asks for an access token."""

import time
from typing import Any

import pytest
import time_machine

from tests.clients import Client, Member, error, ok
from tests.conftest import SECRET_KEY
from tests.factories.tokens import sign, signing_secret, split_token, unsigned

ME = "/api/auth/me"
CLAIMS = {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "type"}


def assert_refused(client: Client, token: str, reason: str = "invalid") -> None:
    error(client.as_user(token).get(ME), 401, "AUTHENTICATION_ERROR", reason)


class Forgery:
    """A good token to be changed and signed again with the installation's own secret."""

    def __init__(self, member: Member) -> None:
        self.header, self.claims = split_token(member.token)

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        changed = {**self.claims, **claims}
        kept = {name: value for name, value in changed.items() if value is not ...}
        return sign({**self.header, **(header or {})}, kept, signing_secret(SECRET_KEY))


@pytest.fixture
def forgery(client: Client) -> Forgery:
    return Forgery(client.sign_up())


class TestClaims:
    def test_an_access_token_says_who_which_session_and_until_when(self, client: Client) -> None:
        """S12: the claims of the contract."""
        member = client.sign_up()
        header, claims = split_token(member.token)
        assert set(header) == {"alg", "typ", "kid"}
        assert set(claims) >= CLAIMS
        assert claims["sub"] == member.id
        assert claims["sid"].startswith("ses_")
        assert claims["type"] == "access"
        assert claims["exp"] - claims["iat"] == 3600
        refresh_claims = split_token(member.refresh_token)[1]
        assert refresh_claims["type"] == "refresh"
        assert refresh_claims["exp"] - refresh_claims["iat"] == 604_800
        assert refresh_claims["jti"] != claims["jti"]

    def test_nothing_personal_stands_in_a_token(self, client: Client) -> None:
        member = client.sign_up(name="Ada")
        for token in (member.token, member.refresh_token):
            assert set(split_token(token)[1]) <= CLAIMS | {"gen", "fresh"}


class TestSignatures:
    def test_the_hand_made_token_is_good_when_nothing_is_wrong(
        self, client: Client, forgery: Forgery
    ) -> None:
        ok(client.as_user(forgery.token()).get(ME))

    def test_another_secret_is_refused(self, client: Client, forgery: Forgery) -> None:
        """S11: signature."""
        for secret in (b"", b"secret", SECRET_KEY, b"x" * 32):
            assert_refused(client, sign(forgery.header, forgery.claims, secret))

    def test_a_changed_token_is_refused(self, client: Client, forgery: Forgery) -> None:
        """S11: signature."""
        header, claims, signature = forgery.token().split(".")
        other = forgery.token(sub="acc_01h455vb4pex5vsknk084sn02q").split(".")
        for token in (
            f"{header}.{other[1]}.{signature}",
            f"{header}.{claims}.",
            f"{header}.{claims}.{signature[:-4]}",
            f"{header}..{signature}",
            f".{claims}.{signature}",
            "..",
        ):
            assert_refused(client, token)

    @pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
    def test_no_algorithm_is_refused(self, client: Client, forgery: Forgery, name: str) -> None:
        """S11: `none` is refused."""
        header = {**forgery.header, "alg": name}
        assert_refused(client, unsigned(header, forgery.claims))
        assert_refused(client, forgery.token({"alg": name}))

    @pytest.mark.parametrize(
        "name", ["HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", 5, None]
    )
    def test_another_algorithm_is_refused(
        self, client: Client, forgery: Forgery, name: object
    ) -> None:
        """S11: one algorithm for each key."""
        assert_refused(client, forgery.token({"alg": name}))
        if name in ("HS384", "HS512"):
            digest = f"sha{str(name)[2:]}"
            header = {**forgery.header, "alg": name}
            secret = signing_secret(SECRET_KEY)
            assert_refused(client, sign(header, forgery.claims, secret, digest=digest))

    @pytest.mark.parametrize(
        "header",
        [
            {"kid": "unknown"},
            {"kid": ""},
            {"kid": None},
            {"kid": 5},
            {"kid": ["x"]},
            {"kid": "../../dev/null"},
            {"jku": "https://evil.example.com/jwks.json"},
            {"jwk": {"kty": "oct", "k": "c2VjcmV0"}},
            {"x5u": "https://evil.example.com/cert.pem"},
            {"x5c": ["MII"]},
            {"crit": ["exp"], "exp": 1},
            {"crit": []},
            {"b64": False, "crit": ["b64"]},
            {"zip": "DEF"},
        ],
        ids=str,
    )
    def test_a_header_that_we_never_write_is_refused(
        self, client: Client, forgery: Forgery, header: dict[str, Any]
    ) -> None:
        """S11: `jku`, `jwk`, `x5u`, an unknown `kid` are refused."""
        assert_refused(client, forgery.token(header))

    def test_a_token_without_a_key_id_is_refused(self, client: Client, forgery: Forgery) -> None:
        """S11: an unknown `kid` is refused."""
        header = {"alg": "HS256", "typ": "JWT"}
        assert_refused(client, sign(header, forgery.claims, signing_secret(SECRET_KEY)))

    @pytest.mark.parametrize("claims", [[], "x", 5, None, {}], ids=str)
    def test_claims_that_are_no_object_are_refused(
        self, client: Client, forgery: Forgery, claims: object
    ) -> None:
        assert_refused(client, sign(forgery.header, claims, signing_secret(SECRET_KEY)))


class TestRequiredClaims:
    @pytest.mark.parametrize("name", sorted({*CLAIMS, "gen"}))
    def test_each_claim_is_required(self, client: Client, forgery: Forgery, name: str) -> None:
        """S12: `iss`, `aud`, `sub`, `exp`, `nbf`, `jti`, `sid` and the type are required."""
        assert_refused(client, forgery.token(**{name: ...}))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("iss", "evil"),
            ("iss", ["ragauth"]),
            ("aud", "evil"),
            ("aud", []),
            ("sub", 5),
            ("sub", "5"),
            ("sub", "ses_01h455vb4pex5vsknk084sn02q"),
            ("sub", None),
            ("sid", 5),
            ("sid", "acc_01h455vb4pex5vsknk084sn02q"),
            ("sid", None),
            ("jti", 5),
            ("exp", "soon"),
            ("exp", None),
            ("nbf", "x"),
            ("iat", "x"),
            ("gen", "x"),
            ("gen", None),
            ("gen", True),
        ],
    )
    def test_a_claim_of_another_form_is_refused(
        self, client: Client, forgery: Forgery, name: str, value: object
    ) -> None:
        """S12: issuer, audience and subject are checked."""
        assert_refused(client, forgery.token(**{name: value}))

    @pytest.mark.parametrize("name", ["iat", "nbf"])
    def test_a_token_from_the_future_is_refused(
        self, client: Client, forgery: Forgery, name: str
    ) -> None:
        """S12: `nbf` and `iat` are checked."""
        assert_refused(client, forgery.token(**{name: int(time.time()) + 600}))

    @pytest.mark.parametrize("token_type", ["refresh", "reset", "verify", "", None, 5])
    def test_another_type_of_token_is_refused(
        self, client: Client, forgery: Forgery, token_type: object
    ) -> None:
        """S12: access, refresh and mail tokens cannot stand in for each other."""
        assert_refused(client, forgery.token(type=token_type), "wrong_credential_type")

    def test_a_session_that_never_was_is_refused(self, client: Client, forgery: Forgery) -> None:
        sid = "ses_01h455vb4pex5vsknk084sn02q"
        assert_refused(client, forgery.token(sid=sid), "revoked")

    def test_anothers_session_is_refused(self, client: Client) -> None:
        """S12: `sub` and `sid` must belong together."""
        one, other = Forgery(client.sign_up()), Forgery(client.sign_up())
        assert_refused(client, one.token(sid=other.claims["sid"]), "revoked")


class TestExpiry:
    def test_an_expired_token_says_since_when(self, client: Client) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            member = client.sign_up()
            clock.shift(3599)
            ok(member.client.get(ME))
            clock.shift(1)
            details = error(member.client.get(ME), 401, "AUTHENTICATION_ERROR", "expired")
        assert details == {"reason": "expired", "expired_at": "2026-03-01T13:00:00Z"}

    def test_a_forged_token_does_not_say_that_it_expired(
        self, client: Client, forgery: Forgery
    ) -> None:
        """S11: the signature comes first."""
        claims = {**forgery.claims, "exp": 1}
        assert_refused(client, sign(forgery.header, claims, b"x" * 32))
