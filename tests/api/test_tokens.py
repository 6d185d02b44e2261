"""Forged and confused tokens, on a route that asks for an access token."""

import base64
import json
import time
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.applications import SECRET_KEY
from tests.cases import for_each
from tests.clients import Client, Member, error, ok
from tests.factories.tokens import (
    sign,
    sign_bytes,
    sign_hmac,
    signature_of,
    signing_key,
    split_token,
    unsigned,
    with_signature,
)

ME = "/api/auth/me"
CLAIMS = {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "type"}


def assert_refused(client: Client, token: str, reason: str = "invalid") -> None:
    error(client.as_user(token).get(ME), 401, "AUTHENTICATION_ERROR", reason)


class Forgery:
    """A good token to be changed and signed again with the installation's own key."""

    def __init__(self, member: Member) -> None:
        self.header, self.claims = split_token(member.token)
        self.key = signing_key(member.client.app)

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        changed = {**self.claims, **claims}
        kept = {name: value for name, value in changed.items() if value is not ...}
        return sign({**self.header, **(header or {})}, kept, self.key)


@pytest.fixture
def forgery(client: Client) -> Forgery:
    return Forgery(client.sign_up())


class TestClaims:
    def test_an_access_token_says_who_which_session_and_until_when(self, client: Client) -> None:
        """S12: the claims of the contract."""
        member = client.sign_up()
        header, claims = split_token(member.token)
        assert header == {"alg": "ES256", "typ": "JWT", "kid": header["kid"]}
        assert set(claims) >= CLAIMS
        assert claims["sub"] == member.id
        assert claims["sid"].startswith("ses_")
        assert claims["type"] == "access"
        assert claims["exp"] - claims["iat"] == 3600
        refresh_claims = split_token(member.refresh_token)[1]
        assert refresh_claims["type"] == "refresh"
        assert (claims["aud"], refresh_claims["aud"]) == ("ragauth", "ragauth/refresh")
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

    def test_another_key_is_refused(self, client: Client, forgery: Forgery) -> None:
        """S11: signature."""
        assert_refused(
            client, sign(forgery.header, forgery.claims, ec.generate_private_key(ec.SECP256R1()))
        )

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

    @for_each("name", ["none", "None", "NONE", "nOnE", ""])
    def test_no_algorithm_is_refused(self, client: Client, forgery: Forgery, name: str) -> None:
        """S11: `none` is refused."""
        header = {**forgery.header, "alg": name}
        assert_refused(client, unsigned(header, forgery.claims))
        assert_refused(client, forgery.token({"alg": name}))

    @for_each(
        "name",
        ["ES384", "ES512", "ES256K", "EdDSA", "RS256", "PS256", "HS256", "es256", "", 5, None, []],
    )
    def test_another_algorithm_is_refused(
        self, client: Client, forgery: Forgery, name: object
    ) -> None:
        """S11: one algorithm for each key, whatever else the signature would be good for."""
        assert_refused(client, forgery.token({"alg": name}))
        if name in ("ES384", "ES512"):
            curve = {"ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}[str(name)]
            key = ec.generate_private_key(curve)
            assert_refused(client, sign({**forgery.header, "alg": name}, forgery.claims, key))

    @for_each(
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
            {"jwks": {"keys": []}},
            {"x5u": "https://evil.example.com/cert.pem"},
            {"x5c": ["MII"]},
            {"crit": ["exp"], "exp": 1},
            {"crit": []},
            {"b64": False, "crit": ["b64"]},
            {"zip": "DEF"},
            {"x5t": "AA", "x5t#S256": "AA"},
            {"cty": "JWT"},
            {"typ": "at+jwt"},
            {"typ": "jwt"},
            {"typ": "JWE"},
            {"typ": ""},
            {"typ": None},
            {"typ": ["JWT"]},
        ],
    )
    def test_a_header_that_we_never_write_is_refused(
        self, client: Client, forgery: Forgery, header: dict[str, Any]
    ) -> None:
        """S11: `jku`, `jwk`, `x5u`, an unknown `kid`, another `typ` are refused."""
        assert_refused(client, forgery.token(header))

    def test_a_token_without_a_key_id_is_refused(self, client: Client, forgery: Forgery) -> None:
        """S11: an unknown `kid` is refused."""
        assert_refused(client, sign({"alg": "ES256", "typ": "JWT"}, forgery.claims, forgery.key))

    def test_a_token_without_a_type_is_refused(self, client: Client, forgery: Forgery) -> None:
        """S12"""
        header = {"alg": "ES256", "kid": forgery.header["kid"]}
        assert_refused(client, sign(header, forgery.claims, forgery.key))

    @for_each("claims", [[], "x", 5, None, {}])
    def test_claims_that_are_no_object_are_refused(
        self, client: Client, forgery: Forgery, claims: object
    ) -> None:
        assert_refused(client, sign(forgery.header, claims, forgery.key))


class TestConfusions:
    """The threats of RFC 8725 section 2, in its order."""

    def test_the_public_key_is_no_secret_of_an_hmac(self, client: Client, forgery: Forgery) -> None:
        """S11: RFC 8725 section 2.1, RS256 (here ES256) taken for HS256."""
        public_key = forgery.key.public_key()
        (jwk,) = client.get("/.well-known/jwks.json").get_json()["keys"]
        secrets = [
            public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
            public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
            public_key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
            json.dumps(jwk).encode(),
            jwk["x"].encode(),
            base64.urlsafe_b64decode(jwk["x"] + "="),
            jwk["kid"].encode(),
        ]
        for secret in secrets:
            for name, digest in (("HS256", "sha256"), ("HS512", "sha512"), ("ES256", "sha256")):
                header = {**forgery.header, "alg": name}
                assert_refused(client, sign_hmac(header, forgery.claims, secret, digest=digest))

    def test_no_secret_that_can_be_guessed_signs(self, client: Client, forgery: Forgery) -> None:
        """S5, S11: RFC 8725 section 2.2, weak symmetric keys; there is no default secret."""
        header = {**forgery.header, "alg": "HS256"}
        for secret in (b"", b"\0", b"secret", b"ragauth", b"change-me", b"x" * 32, SECRET_KEY):
            assert_refused(client, sign_hmac(header, forgery.claims, secret))
            assert_refused(client, sign_hmac(forgery.header, forgery.claims, secret))

    def test_a_signature_that_is_none_of_the_curve_is_refused(
        self, client: Client, forgery: Forgery
    ) -> None:
        """S11: RFC 8725 section 2.1, a signature that is checked badly (CVE-2022-21449)."""
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        token = forgery.token()
        good = signature_of(token)
        r, s = (int.from_bytes(half) for half in (good[:32], good[32:]))
        der = encode_dss_signature(r, s)
        assert decode_dss_signature(der) == (r, s)
        numbers = [(0, 0), (0, s), (r, 0), (order, order), (1, 1), (r, order), (s, r)]
        signatures = [
            *(one.to_bytes(32) + other.to_bytes(32) for one, other in numbers),
            *(der, good + b"\0", good[:-1], b"\0" * 64, b"\xff" * 64, good + good),
        ]
        for signature in signatures:
            assert_refused(client, with_signature(token, signature))

    def test_an_encrypted_token_is_refused(self, client: Client, forgery: Forgery) -> None:
        """S11: RFC 8725 sections 2.3 to 2.5: nothing is decrypted here."""
        header, claims, signature = forgery.token().split(".")
        assert_refused(client, f"{header}.{claims}.{claims}.{claims}.{signature}", "malformed")

    def test_a_token_within_a_token_is_refused(self, client: Client, forgery: Forgery) -> None:
        """S11: RFC 8725 section 2.3: the inner signature counts for nothing."""
        inner = forgery.token().encode()
        assert_refused(client, sign_bytes(forgery.header, inner, forgery.key))
        nested = {**forgery.header, "cty": "JWT"}
        assert_refused(client, sign_bytes(nested, inner, forgery.key))

    def test_the_json_serialisation_is_refused(self, client: Client, forgery: Forgery) -> None:
        """S11: RFC 7515 section 7.2, where a header may be unprotected."""
        header, claims, signature = forgery.token().split(".")
        text = json.dumps({"protected": header, "payload": claims, "signature": signature})
        assert_refused(client, text.replace(" ", ""), "malformed")
        assert_refused(client, text.replace(" ", "").replace(",", ".,"), "invalid")

    @for_each("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
    def test_claims_in_another_encoding_are_refused(
        self, client: Client, forgery: Forgery, encoding: str
    ) -> None:
        """S12: RFC 8725 section 2.6."""
        payload = json.dumps(forgery.claims).encode(encoding)
        assert_refused(client, sign_bytes(forgery.header, payload, forgery.key))

    @for_each(
        "audience",
        ["another", "RAGAUTH", ["another"], ["ragauth", "another"], "", {"ragauth": 1}, 5, None],
    )
    def test_a_token_for_another_recipient_is_refused(
        self, client: Client, forgery: Forgery, audience: object
    ) -> None:
        """S12: RFC 8725 section 2.7, substitution."""
        assert_refused(client, forgery.token(aud=audience))

    def test_a_token_for_another_purpose_is_refused(self, client: Client) -> None:
        """S12: RFC 8725 section 2.8, cross-JWT confusion."""
        member = client.sign_up()
        assert_refused(client, member.refresh_token, "wrong_credential_type")
        answer = client.post("/api/auth/token/refresh", {"refresh_token": member.token})
        error(answer, 401, "AUTHENTICATION_ERROR", "wrong_credential_type")
        assert_refused(client, "a-confirmation-token-is-opaque", "malformed")

    @for_each(
        "kid",
        [
            "' OR '1'='1",
            "' UNION SELECT 'x' --",
            "../../../../dev/null",
            "/proc/self/environ",
            "|id",
            "http://169.254.169.254/latest/meta-data",
            "\0",
            "\ud800",
            "x" * 4000,
        ],
    )
    def test_a_key_id_reaches_nothing_but_the_ring(
        self, client: Client, forgery: Forgery, kid: str
    ) -> None:
        """S11: RFC 8725 section 2.9, attacks on the server by way of a header."""
        assert_refused(client, forgery.token({"kid": kid}))
        header = {**forgery.header, "kid": kid, "alg": "HS256"}
        assert_refused(client, sign_hmac(header, forgery.claims, b""))

    def test_a_key_of_the_tokens_own_is_not_believed(
        self, client: Client, forgery: Forgery
    ) -> None:
        """S11: RFC 8725 section 2.9; the signature is good for the key that the header brings."""
        key = ec.generate_private_key(ec.SECP256R1())
        numbers = key.public_key().public_numbers()
        x, y = (
            base64.urlsafe_b64encode(number.to_bytes(32)).rstrip(b"=").decode()
            for number in (numbers.x, numbers.y)
        )
        jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        for brought in ({"jwk": jwk}, {"jku": "https://evil.example.com/jwks.json"}):
            assert_refused(client, sign({**forgery.header, **brought}, forgery.claims, key))


class TestRequiredClaims:
    @for_each("name", sorted({*CLAIMS, "gen"}))
    def test_each_claim_is_required(self, client: Client, forgery: Forgery, name: str) -> None:
        """S12: `iss`, `aud`, `sub`, `exp`, `nbf`, `jti`, `sid` and the type are required."""
        assert_refused(client, forgery.token(**{name: ...}))

    @for_each(
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
            ("type", None),
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

    @for_each("name", ["iat", "nbf"])
    def test_a_token_from_the_future_is_refused(
        self, client: Client, forgery: Forgery, name: str
    ) -> None:
        """S12: `nbf` and `iat` are checked."""
        assert_refused(client, forgery.token(**{name: int(time.time()) + 600}))

    @for_each("token_type", ["reset", "verify", "", 5, [], {}])
    def test_another_type_of_token_is_refused(
        self, client: Client, forgery: Forgery, token_type: object
    ) -> None:
        """S12: access, refresh and mail tokens cannot stand in for each other."""
        assert_refused(client, forgery.token(type=token_type), "wrong_credential_type")

    def test_a_type_goes_with_its_audience(self, client: Client, forgery: Forgery) -> None:
        """S12: neither claim alone makes another token of one."""
        assert_refused(client, forgery.token(type="refresh"))
        assert_refused(client, forgery.token(aud="ragauth/refresh"))
        both = forgery.token(type="refresh", aud="ragauth/refresh")
        assert_refused(client, both, "wrong_credential_type")

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
        key = ec.generate_private_key(ec.SECP256R1())
        assert_refused(client, sign(forgery.header, claims, key))
