"""GET /.well-known/jwks.json"""

import json

import pytest
from joserfc import jwt
from joserfc.errors import InvalidClaimError, InvalidKeyIdError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from ragauth.services.sessions.signing_key_rotation import SIGN_AFTER_SECONDS
from tests.cases import for_each
from tests.clients import Client, error
from tests.factories.signing_keys import published, rotate
from tests.factories.tokens import split_token
from tests.runtime import runtime_of

PATH = "/.well-known/jwks.json"

_AS_VERIFIERS_DO = JWTClaimsRegistry(
    iss={"essential": True, "value": "ragauth"},
    aud={"essential": True, "value": "ragauth"},
    exp={"essential": True},
    nbf={"essential": True},
)


@pytest.fixture
def strangers_client(database: str, request: pytest.FixtureRequest) -> Client:
    """A client of another installation."""
    other = {"sqlite": "postgres", "postgres": "sqlite"}[database]
    return Client(request.getfixturevalue(f"{other}_app"))


class TestSucceeds:
    def test_it_is_a_bare_key_set_of_public_keys(self, client: Client) -> None:
        answer = client.get(PATH)
        assert (answer.status_code, answer.content_type) == (200, "application/json")
        assert set(answer.get_json()) == {"keys"}
        (key,) = answer.get_json()["keys"]
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert {name: key[name] for name in ("kty", "crv", "use", "alg")} == {
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
        }

    def test_the_name_of_a_key_is_its_thumbprint(self, client: Client) -> None:
        (key,) = KeySet.import_key_set(client.get(PATH).get_json()).keys
        assert key.kid == key.thumbprint()

    def test_a_library_of_others_verifies_a_token_from_it_alone(self, client: Client) -> None:
        """S11, S12"""
        member = client.sign_up()
        keys = KeySet.import_key_set(json.loads(client.get(PATH).data))
        token = jwt.decode(member.token, keys, algorithms=["ES256"])
        assert token.header == split_token(member.token)[0]
        assert (token.claims["sub"], token.claims["type"]) == (member.id, "access")
        _AS_VERIFIERS_DO.validate(token.claims)

    def test_a_verifier_elsewhere_does_not_take_a_refresh_token(self, client: Client) -> None:
        """S12: it has another audience, which every library looks at (RFC 8725 section 3.12)."""
        keys = KeySet.import_key_set(client.get(PATH).get_json())
        token = jwt.decode(client.sign_up().refresh_token, keys, algorithms=["ES256"])
        with pytest.raises(InvalidClaimError, match="aud"):
            _AS_VERIFIERS_DO.validate(token.claims)

    def test_that_library_refuses_another_installations_token(
        self, client: Client, strangers_client: Client
    ) -> None:
        keys = KeySet.import_key_set(strangers_client.get(PATH).get_json())
        with pytest.raises(InvalidKeyIdError):
            jwt.decode(client.sign_up().token, keys, algorithms=["ES256"])

    def test_a_new_key_is_in_it_before_it_signs(self, client: Client) -> None:
        """S16"""
        first = published(client.app)
        second = rotate(client.app)
        runtime_of(client.app).signing_ring.forget()
        assert published(client.app) == [*first, second]
        assert split_token(client.sign_up().token)[0]["kid"] == first[0]

    @for_each("path", [PATH, f"{PATH}/", f"{PATH}?x=1"])
    def test_it_is_the_same_for_everyone(self, client: Client, path: str) -> None:
        one = client.get(PATH)
        other = client.sign_up().client.get(path)
        assert (one.status_code, other.status_code) == (200, 200)
        assert one.data == other.data


class TestCaching:
    def test_it_may_be_kept_for_less_long_than_a_new_key_waits(self, client: Client) -> None:
        caching = client.get(PATH).cache_control
        assert caching.public
        assert caching.max_age == 60
        assert caching.max_age < SIGN_AFTER_SECONDS

    def test_what_has_not_changed_is_not_sent_again(self, client: Client) -> None:
        first = client.get(PATH)
        again = client.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
        rotate(client.app)
        runtime_of(client.app).signing_ring.forget()
        changed = client.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
        assert (changed.status_code, len(changed.get_json()["keys"])) == (200, 2)

    def test_head_has_the_headers_alone(self, client: Client) -> None:
        answer = client.request("HEAD", PATH)
        assert (answer.status_code, answer.data) == (200, b"")
        assert answer.headers["ETag"] == client.get(PATH).headers["ETag"]


def test_a_failure_is_in_the_envelope(client: Client) -> None:
    error(client.post(PATH, {}), 405, "VALIDATION_ERROR")
    error(client.get("/.well-known/jwks"), 404, "NOT_FOUND")
