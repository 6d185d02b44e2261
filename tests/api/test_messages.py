"""A person reads in `message` what is wrong, without a look at `details`."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.api.callers import caller_of
from tests.api.routes import Route
from tests.api.test_ownership import ID_ROUTES
from tests.cases import for_each
from tests.clients import Client, error, issues
from tests.compat.faces import UUID
from tests.factories.api_keys import make_service_key

SIGNUP = "/api/auth/signup"


@pytest.fixture
def faces(share_app: Callable[..., Flask]) -> Client:
    """The contract's routes and the compat faces'."""
    return Client(share_app(compat=("ragchats", "rst")))


def message_of(response: Any) -> str:
    message: str = response.get_json()["error"]["message"]
    return message


class TestFaults:
    @for_each(
        ("body", "message"),
        [
            (
                {"email": "ada@example.com", "password": "short"},
                "password: Must be at least 8 characters long",
            ),
            ({"email": "ada@example.com"}, "password: Required"),
            ({}, "email: Required (and 1 more)"),
            ({"b": 1, "a": 1}, "email: Required (and 3 more)"),
            ({f"{number}": 1 for number in range(98)}, "email: Required (and 99 more)"),
            ({f"{number}": 1 for number in range(99)}, "email: Required (and at least 100 more)"),
        ],
    )
    def test_the_first_one_and_how_many_there_are(
        self, client: Client, body: dict[str, Any], message: str
    ) -> None:
        response = client.post(SIGNUP, body)
        error(response, 400, "VALIDATION_ERROR")
        assert message_of(response) == message

    def test_a_place_in_a_list_is_named(self, client: Client) -> None:
        body = {"name": "x", "allowed_ips": ["10.0.0.0/8", "nowhere"]}
        response = client.sign_up().client.post("/api/auth/api-keys", body)
        assert message_of(response).startswith("allowed_ips.1: Must be an address or a network")

    def test_what_the_client_chose_does_not_make_it_long(self, client: Client) -> None:
        """S37"""
        body = {"email": "ada@example.com", "password": "a long password", "x" * 60_000: 1}
        assert message_of(client.post(SIGNUP, body)) == f"{'x' * 100}…: Unknown field"

    @for_each(
        ("data", "message"),
        [
            (b"[]", "Must be a JSON object"),
            (b'{"email":\n x}', "Malformed JSON: line 2, column 2"),
            (b'{"a": 1, "a": 2}', "Malformed JSON: a name stands twice in one object"),
            (b'{"a": NaN}', "Malformed JSON: NaN is no number of JSON's"),
            (b'{"a": ' + b"9" * 5_000 + b"}", "Malformed JSON: a number has too many digits"),
            (b'{"a": "\xff"}', "Malformed JSON: the body is not UTF-8"),
        ],
    )
    def test_of_the_whole_body_they_have_no_place(
        self, client: Client, data: bytes, message: str
    ) -> None:
        response = client.post(SIGNUP, data=data, content_type="application/json")
        assert issues(response) == {(): message}
        assert message_of(response) == message

    def test_a_face_has_them_in_its_own_form(self, faces: Client) -> None:
        body = faces.post("/compat/ragchats/api/auth/login", {"email": "x"}).get_json()
        assert body["message"] == "password: Required"
        response = faces.post(
            "/compat/rst/v1/auth/login", data=b"{", content_type="application/json"
        )
        [fault] = response.get_json()["detail"]
        assert (fault["type"], fault["loc"]) == ("json_invalid", ["body"])


class TestPaths:
    @for_each("route", ID_ROUTES)
    def test_a_fault_names_the_parameter_as_the_document_does(
        self, client: Client, route: Route
    ) -> None:
        kind, name = next(
            (kind, name)
            for kind, name in (
                ("agt", "agent_id"),
                ("key", "key_id"),
                ("ses", "session_id"),
            )
            if f"/{kind}_" in route.path
        )
        parts = route.path.split("/")
        place = next(number for number, part in enumerate(parts) if part.startswith(f"{kind}_"))
        documented = "/".join([*parts[:place], f"{{{name}}}", *parts[place + 1 :]])
        paths = client.get("/openapi.json").get_json()["paths"]
        assert paths[documented][route.method.lower()]["parameters"][0]["name"] == name
        odd = "/".join([*parts[:place], "x", *parts[place + 1 :]])
        found = issues(caller_of(client, route).request(route.method, odd, json=route.body))
        assert set(found) == {(name,)}

    def test_a_face_names_its_own(self, faces: Client) -> None:
        caller = faces.sign_up().client
        response = caller.delete("/compat/rst/v1/auth/api-keys/x")
        assert response.get_json()["detail"][0]["loc"] == ["path", "key_uuid"]
        response = caller.get("/compat/ragchats/api/agents/x/api-keys/")
        assert set(response.get_json()["details"]) == {"agent_uuid"}

    def test_a_route_that_is_missing_is_told_from_a_thing(self, client: Client) -> None:
        member = client.sign_up()
        for caller, path in (
            (client, "/unknown"),
            (member.client, "/api/auth/unknown"),
            (member.client, "/api/agents//"),
            (member.key_client, "/api/v1/unknown"),
        ):
            response = caller.get(path)
            error(response, 404, "NOT_FOUND")
            assert message_of(response) == "There is no such route"
        things = {
            "/api/auth/api-keys/key_01h455vb4pex5vsknk084sn02q": "key",
            "/api/auth/api-keys?agent_id=agt_01h455vb4pex5vsknk084sn02q": "agent",
            "/api/agents/agt_01h455vb4pex5vsknk084sn02q/api-keys": "agent",
        }
        for path, thing in things.items():
            response = member.client.get(path)
            error(response, 404, "NOT_FOUND")
            assert message_of(response) == f"No such {thing}, or it is not yours"
        service = client.as_key(make_service_key(client.app, "accounts"))
        response = service.get("/api/v1/internal/accounts/acc_01h455vb4pex5vsknk084sn02q")
        assert message_of(response) == "There is no such account"
        assert set(issues(service.get("/api/v1/internal/accounts/x"))) == {("account_id",)}

    def test_a_face_tells_them_apart_too(self, faces: Client) -> None:
        caller = faces.sign_up().client
        for path, message in (
            ("/compat/rst/v1/unknown", "There is no such route"),
            (f"/compat/rst/v1/auth/api-keys/{UUID}", "No such key, or it is not yours"),
        ):
            assert caller.delete(path).get_json() == {"detail": message}


class TestLimits:
    def test_a_cost_above_what_is_left_says_what_is_left(self, client: Client) -> None:
        caller = client.sign_up().key_client
        caller.get("/api/v1/authorize?cost=988")
        response = caller.get("/api/v1/authorize?cost=50")
        error(response, 429, "USAGE_LIMIT_EXCEEDED")
        assert message_of(response) == (
            "This takes 50 requests: the account's limit of 1,000 requests a month has 12 left"
        )
        caller.get("/api/v1/authorize?cost=12")
        for cost in (1, 50):
            response = caller.get(f"/api/v1/authorize?cost={cost}")
            assert message_of(response) == (
                "The account's limit of 1,000 requests a month is used up"
            )


class TestKeys:
    @for_each("path", ["/api/v1/authorize", "/api/v1/me", "/api/v1/unknown"])
    def test_one_that_is_none_is_told_why(self, client: Client, path: str) -> None:
        key = client.sign_up().api_key
        for text, why in (
            (key[:29], ": 36 characters after rag_live_ expected, 20 found"),
            (f'"{key}"', ": the key is in quotes"),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", ": this looks like a key of another service"),
            ("garbage", ""),
        ):
            response = client.as_key(text).get(path)
            error(response, 401, "AUTHENTICATION_ERROR", "malformed")
            assert message_of(response) == f"The API key is malformed{why}"
            assert key[9:29] not in response.text

    def test_one_that_is_switched_off_is_told_from_a_revoked_one(self, client: Client) -> None:
        member = client.sign_up()
        key = member.create_key()
        path = f"/api/auth/api-keys/{key['id']}"
        caller = client.as_key(key["api_key"])
        for change, message in (
            (lambda: member.client.patch(path, {"is_active": False}), "is switched off"),
            (lambda: member.client.delete(path), "has been revoked"),
        ):
            change()
            response = caller.get("/api/v1/me")
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")
            assert message_of(response) == f"The API key {message}"
