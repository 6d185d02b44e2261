"""Failures of Unkey's face, whatever their cause: `{"meta": {"requestId"}, "error": {...}}`."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from ragauth.errors import ExternalServiceUnavailable, RateLimitExceeded
from ragauth.services.keys import check
from tests.clients import Client
from tests.factories.api_keys import make_service_key, unknown_key

V2 = "/compat/unkey/v2"
JSON = "application/json"


@pytest.fixture
def root(faces: Client) -> Client:
    """A client with a service key that has every scope of this face."""
    return faces.as_user(make_service_key(faces.app, "verify", "keys", "accounts", "usage"))


def problem(response: TestResponse, status: int, kind: str) -> dict[str, Any]:
    """The error of an answer; its form is looked at."""
    body = response.get_json()
    assert response.status_code == status, response.text
    assert set(body) == {"meta", "error"}
    assert body["meta"] == {"requestId": response.headers["X-Request-Id"]}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"detail", "status", "title", "type"} | (
        {"errors"} if status == 400 else set()
    )
    assert (error["status"], bool(error["detail"]), bool(error["title"])) == (status, True, True)
    assert error["type"] == f"https://unkey.com/docs/errors/{kind}"
    media_type = "application/problem+json" if status == 429 else JSON
    assert response.content_type == media_type
    return error


class TestWithoutARoute:
    def test_an_unknown_path_is_404(self, faces: Client, root: Client) -> None:
        for caller in (faces, root):
            for path in ("", "/", "/v2", "/v2/keys", "/v2/keys.nothing", "/v1/keys.verifyKey"):
                response = caller.post(f"/compat/unkey{path}", {})
                problem(response, 404, "unkey/data/not_found")

    def test_another_method_is_405_and_names_post(self, root: Client) -> None:
        for method in ("GET", "PUT", "DELETE", "PROPFIND"):
            response = root.request(method, f"{V2}/keys.verifyKey")
            problem(response, 405, "user/bad_request/method_not_allowed")
            assert "POST" in response.headers["Allow"]


class TestCredentials:
    def test_each_that_does_not_hold_is_401(self, faces: Client) -> None:
        member = faces.sign_up()
        for credential, kind in [
            ("", "missing"),
            ("a b", "malformed"),
            ("garbage", "malformed"),
            (member.token, "malformed"),
            (member.api_key, "malformed"),
            (unknown_key("rag_svc_"), "key_not_found"),
        ]:
            caller = faces.as_user(credential) if credential else faces
            error = problem(
                caller.post(f"{V2}/keys.verifyKey", {}), 401, f"unkey/authentication/{kind}"
            )
            assert error["title"] == "Unauthorized"

    def test_a_root_key_without_the_scope_is_403(self, faces: Client) -> None:
        caller = faces.as_user(make_service_key(faces.app, "usage"))
        error = problem(
            caller.post(f"{V2}/keys.verifyKey", {}),
            *(403, "unkey/authorization/insufficient_permissions"),
        )
        assert error["detail"] == "The key does not have the scope verify"


class TestBodies:
    def test_each_fault_has_its_place(self, root: Client) -> None:
        body = {"credits": {"cost": -1}, "ratelimits": [{"name": "a"}, {"name": 5}], "x": 1}
        response = root.post(f"{V2}/keys.verifyKey", body)
        faults = problem(response, 400, "unkey/application/invalid_input")["errors"]
        assert {fault["location"]: fault["message"] for fault in faults} == {
            "body.key": "Required",
            "body.credits.cost": "Must be between 0 and 10000",
            "body.ratelimits[1].name": "Not a string",
            "body.x": "Unknown field",
        }

    def test_a_query_string_is_a_fault_of_the_query(self, root: Client) -> None:
        response = root.post(f"{V2}/keys.verifyKey?debug=1", {"key": "x"})
        faults = problem(response, 400, "unkey/application/invalid_input")["errors"]
        assert faults == [{"location": "query.debug", "message": "Unknown field"}]

    def test_what_is_no_json_object_is_400_413_or_415(self, root: Client) -> None:
        path = f"{V2}/keys.verifyKey"
        for data in (b"{", b"[]", b"\xff", b"[" * 60_000):
            response = root.post(path, data=data, content_type=JSON)
            faults = problem(response, 400, "unkey/application/invalid_input")["errors"]
            assert [fault["location"] for fault in faults] == ["body"]
        response = root.post(path, data=b'{"key": "' + b"x" * 70_000 + b'"}', content_type=JSON)
        problem(response, 413, "user/bad_request/request_body_too_large")
        response = root.post(path, data=json.dumps({"key": "x"}), content_type="text/plain")
        problem(response, 415, "user/bad_request/unsupported_media_type")


class TestTroubles:
    def test_a_crash_is_500_and_a_lost_database_503(
        self, root: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for fault, status, kind in [
            (ZeroDivisionError("/secret/path"), 500, "unexpected_error"),
            (ExternalServiceUnavailable(), 503, "service_unavailable"),
        ]:

            def fail(*_: object, fault: Exception = fault, **__: object) -> object:
                raise fault

            monkeypatch.setattr(check.KeyChecker, "check", fail)
            response = root.post(f"{V2}/keys.verifyKey", {"key": "x"})
            problem(response, status, f"unkey/application/{kind}")
            assert "secret" not in response.text

    def test_what_is_too_much_is_429_in_a_media_type_of_its_own(
        self, root: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> object:
            raise RateLimitExceeded(7)

        monkeypatch.setattr(check.KeyChecker, "check", refuse)
        response = root.post(f"{V2}/keys.verifyKey", {"key": "x"})
        problem(response, 429, "user/too_many_requests/rate_limited")
        assert response.headers["Retry-After"] == "7"

    def test_plain_http_is_403_where_https_is_required(
        self, make_app: Callable[..., Flask]
    ) -> None:
        strict = Client(make_app(compat=("unkey",), require_https=True))
        response = strict.post(f"{V2}/keys.verifyKey", {"key": "x"})
        problem(response, 403, "unkey/authorization/forbidden")
