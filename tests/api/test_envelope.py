"""One form for every answer, whatever was asked (S29)."""

import json
import logging
from collections.abc import Callable
from io import BytesIO

import pytest
from flask import Flask, abort
from gunicorn.http.errors import InvalidChunkSize, NoMoreData

from tests.api.broken_bodies import broken_body
from tests.api.callers import caller_of
from tests.api.routes import BODY_ROUTES, GUARDED_ROUTES, ROUTES, Route
from tests.api.test_spellings import OWN_SPELLING_ALONE
from tests.cases import for_each
from tests.clients import Client, error, issues, ok

SIGNUP = "/api/auth/signup"
JSON = "application/json"


def post(client: Client, data: bytes, content_type: str | None = JSON) -> dict[tuple, str]:
    return issues(client.post(SIGNUP, data=data, content_type=content_type))


class TestUnknownUrls:
    @for_each(
        "path",
        [
            *("/unknown", "/api", "/api/", "/api/auth", "/api/auth/unknown", "/favicon.ico"),
            *("//", "//api/auth/me", "/api//auth/me", "/api/auth//me", "/api/auth/me//", "/%00"),
            *("/api/auth/me;x", "/API/AUTH/ME", "/api/agents/a/b", "/é", "/%ff", "/../etc/passwd"),
        ],
    )
    def test_there_is_nothing_without_a_redirect(self, client: Client, path: str) -> None:
        for method in ("GET", "POST"):
            response = client.request(method, path)
            error(response, 404, "NOT_FOUND")
            assert "Location" not in response.headers

    def test_a_session_id_in_a_strange_form_is_a_fault(self, client: Client) -> None:
        member = client.sign_up()
        for text in ("%00", "é", "%ff", "a%0ab", "x" * 5000):
            assert set(issues(member.client.delete(f"/api/auth/sessions/{text}"))) == {
                ("session_id",)
            }


class TestWrongMethods:
    @for_each(
        ("method", "path", "allowed"),
        [
            ("GET", SIGNUP, {"POST", "OPTIONS"}),
            ("PUT", "/api/auth/me", {"GET", "HEAD", "PATCH", "OPTIONS"}),
            ("POST", "/api/auth/sessions", {"GET", "HEAD", "DELETE", "OPTIONS"}),
            ("PUT", "/api/agents", {"GET", "HEAD", "POST", "OPTIONS"}),
            ("PROPFIND", "/docs", {"GET", "HEAD", "OPTIONS"}),
        ],
    )
    def test_allow_says_what_would_have_been_right(
        self, client: Client, method: str, path: str, allowed: set[str]
    ) -> None:
        for spelling in (path, f"{path}/"):
            response = client.request(method, spelling)
            error(response, 405, "VALIDATION_ERROR")
            assert set(response.headers["Allow"].split(", ")) == allowed


class TestHeadersOfEveryAnswer:
    def test_no_answer_may_be_sniffed(self, client: Client) -> None:
        """S30: successes, refusals, preflights, empty answers, answers to gateways."""
        member = client.sign_up()
        answers = [
            member.client.get("/api/auth/me"),
            member.client.post("/api/auth/logout"),
            member.key_client.get("/api/v1/authorize"),
            member.key_client.get("/api/v1/me"),
            client.get("/api/v1/authorize"),
            client.get("/unknown"),
            client.request("PUT", SIGNUP),
            client.request("OPTIONS", SIGNUP),
            client.request("HEAD", "/healthz"),
            client.post(SIGNUP, data=b"x" * 65_537),
            client.get("/healthz"),
            client.get("/readyz"),
        ]
        assert {answer.status_code for answer in answers} == {200, 204, 401, 404, 405, 413}
        for answer in answers:
            assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]


class TestSlashes:
    @for_each("route", ROUTES)
    def test_every_route_works_with_and_without_one_trailing_slash(
        self, client: Client, route: Route
    ) -> None:
        """But those of probes: see test_spellings.py."""
        if route.path in OWN_SPELLING_ALONE:
            error(client.get(f"{route.path}/"), 404, "NOT_FOUND")
            return
        caller = caller_of(client, route)
        one, other = (
            caller.request(route.method, path, json=route.body)
            for path in (route.path, f"{route.path}/")
        )
        assert one.status_code not in (301, 308, 405, 500)
        once = ("/logout", "/me/delete", "/signup", "/internal/accounts")
        if route.path.endswith(once):  # not to be done twice
            assert other.status_code != 404
        else:
            assert other.status_code == one.status_code, other.text
        twice = caller.request(route.method, f"{route.path}//", json=route.body)
        is_below_authorize = route.path.endswith("/authorize")
        assert twice.status_code in ({200} if is_below_authorize else {401, 404})

    @for_each("route", GUARDED_ROUTES)
    def test_every_guarded_route_asks_for_its_credential(
        self, client: Client, route: Route
    ) -> None:
        for path in (route.path, f"{route.path}/"):
            response = client.request(route.method, path, data=b"{", content_type="text/plain")
            error(response, 401, "AUTHENTICATION_ERROR", "missing")


class TestBodies:
    @for_each("route", BODY_ROUTES)
    def test_only_json_is_read(self, client: Client, route: Route) -> None:
        caller = caller_of(client, route)
        for content_type in (None, "text/plain", "application/x-www-form-urlencoded", "x"):
            response = caller.request(
                route.method, route.path, data=json.dumps(route.body), content_type=content_type
            )
            error(response, 415, "VALIDATION_ERROR")

    @for_each("content_type", ["application/json; charset=utf-8", "Application/JSON"])
    def test_parameters_and_case_of_the_type_do_not_matter(
        self, client: Client, content_type: str
    ) -> None:
        assert set(post(client, b"{}", content_type)) == {("email",), ("password",)}

    @for_each("route", BODY_ROUTES)
    def test_a_body_of_64_kib_is_read_and_a_larger_one_is_not(
        self, client: Client, route: Route
    ) -> None:
        """S29: bodies are bounded."""
        caller = caller_of(client, route)
        head, tail = b'{"unknown": "', b'"}'
        for length, status in ((64 * 1024, 400), (64 * 1024 + 1, 413)):
            data = head + b"x" * (length - len(head) - len(tail)) + tail
            response = caller.request(route.method, route.path, data=data, content_type=JSON)
            error(response, status, "VALIDATION_ERROR")

    @for_each("route", BODY_ROUTES)
    def test_a_body_that_the_server_cannot_read_is_a_fault_of_the_client(
        self, client: Client, route: Route, caplog: pytest.LogCaptureFixture
    ) -> None:
        """S29: malformed chunks, clients that are gone or too slow, in each server's own errors."""
        caller = caller_of(client, route)
        for fault, length in (
            (InvalidChunkSize(b"zz"), ""),
            (NoMoreData(), "20"),
            (ConnectionResetError(), ""),
            (TimeoutError(), "20"),
        ):
            response = caller.request(
                route.method,
                route.path,
                content_type=JSON,
                environ_overrides=broken_body(fault, length),
            )
            error(response, 400, "VALIDATION_ERROR")
        assert not [line for line in caplog.records if line.levelno >= logging.ERROR]

    @for_each("route", BODY_ROUTES)
    def test_a_body_that_is_shorter_than_was_said_is_not_taken_for_all_of_it(
        self, client: Client, route: Route
    ) -> None:
        caller = caller_of(client, route)
        for environment in ({}, {"wsgi.input_terminated": True}):
            response = caller.request(
                route.method,
                route.path,
                content_type=JSON,
                environ_overrides={
                    "wsgi.input": BytesIO(json.dumps(route.body).encode()),
                    "CONTENT_LENGTH": "2000",
                    **environment,
                },
            )
            error(response, 400, "VALIDATION_ERROR")

    def test_a_body_whose_length_nobody_said_is_bounded_too(self, client: Client) -> None:
        """S29: bodies are bounded."""
        environment = {"wsgi.input_terminated": True}
        response = client.post(
            SIGNUP,
            data=b"[" * 200_000,
            content_type=JSON,
            environ_base=environment,
            environ_overrides={"CONTENT_LENGTH": ""},
        )
        error(response, 413, "VALIDATION_ERROR")

    @for_each(
        "data",
        [
            *(b"{", b"{}}", b"{'email': 1}", b"{,}", b'{"email"}', b"nul", b"\xef\xbb\xbf{}"),
            *(b'{"email": NaN}', b'{"email": Infinity}', b'{"email": -Infinity}', b'{"email": 01}'),
            *(b'{"email": "\xff"}', b'{"email": "\n"}', b'{"email": "\\x"}', b"\x00", b" "),
            b'{"email": "a@example.com", "email": "b@example.com"}',
            b'{"email": {"a": 1, "a": 1}}',
            '{"email": "a@example.com"}'.encode("utf-16"),
            b'{"email": ' + b"9" * 5000 + b"}",
        ],
    )
    def test_malformed_json_is_one_fault_of_the_whole(self, client: Client, data: bytes) -> None:
        assert set(post(client, data)) == {()}

    @for_each("data", [b"null", b"[]", b'"{}"', b"1", b"true", b"[{}]", b"1e999"])
    def test_anything_but_an_object_is_a_fault(self, client: Client, data: bytes) -> None:
        assert post(client, data) == {(): "Must be a JSON object"}

    @for_each("opening", [b"[", b'{"a":', b'{"email":['])
    def test_deep_nesting_is_a_fault(self, client: Client, opening: bytes) -> None:
        """S29: nesting is bounded."""
        assert set(post(client, opening * (60_000 // len(opening)))) == {()}
        depth = 60_000 // (len(opening) + 2)
        closing = {b"[": b"]", b'{"a":': b"}", b'{"email":[': b"]}"}[opening]
        assert post(client, opening * depth + b"1" * (opening != b"[") + closing * depth)

    def test_moderate_nesting_is_a_fault_of_its_field(self, client: Client) -> None:
        data = b'{"email": ' + b"[" * 400 + b"]" * 400 + b', "password": "' + b"x" * 8 + b'"}'
        assert set(post(client, data)) == {("email",)}

    def test_no_body_is_an_empty_one(self, client: Client) -> None:
        assert set(issues(client.post(SIGNUP))) == {("email",), ("password",)}
        assert set(post(client, b"", "text/plain")) == {("email",), ("password",)}

    def test_several_faults_are_named_at_once(self, client: Client) -> None:
        body = {"email": None, "password": 5, "name": [], "username": "\0", "plan": "pro", "x": {}}
        assert set(issues(client.post(f"{SIGNUP}?y=1", body))) == {
            *((name,) for name in body),
            ("y",),
        }


class TestCrashes:
    SECRET = "postgresql://user:hunter2@db/ragauth"

    @pytest.fixture
    def crashing(self, make_app: Callable[..., Flask]) -> Client:
        app = make_app()

        def crash() -> None:
            raise RuntimeError(self.SECRET)

        def interrupt() -> None:
            abort(500)

        app.add_url_rule("/crash", view_func=crash)
        app.add_url_rule("/api/auth/abort", view_func=interrupt)
        return Client(app)

    def test_a_bug_tells_its_request_id_and_nothing_else(self, crashing: Client) -> None:
        for path in ("/crash", "/api/auth/abort"):
            response = crashing.get(path, headers={"X-Request-Id": "my-request"})
            details = error(response, 500, "INTERNAL_ERROR")
            assert details == {"request_id": "my-request"}
            assert response.headers["X-Request-Id"] == "my-request"
            for told in ("hunter2", "RuntimeError", "Traceback", ".py"):
                assert told not in response.text

    def test_the_next_request_is_served(self, crashing: Client) -> None:
        error(crashing.get("/crash"), 500, "INTERNAL_ERROR")
        ok(crashing.get("/healthz"))
