"""How a path may be spelled: proxies have exact rules, which no other spelling may go round."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder, TestResponse

from tests.cases import for_each
from tests.clients import Client, error
from tests.compat.faces import TYPE_ID

OWN_SPELLING_ALONE = ("/healthz", "/readyz", "/metrics")
AUTHORIZE = "/api/v1/authorize"
TOKEN = "a-token-of-prometheus"


def ask(
    app: Flask, target: str, method: str = "GET", *, raw: bool = True, **headers: str
) -> TestResponse:
    """Send a request target as a server hands it on; without `raw`, one that decodes it only."""
    path = re.sub(r"^https?://[^/?#]*", "", target, flags=re.IGNORECASE)
    builder = EnvironBuilder(
        method=method,
        data=b"{}",
        content_type="application/json",
        headers=headers,
        environ_overrides={
            "PATH_INFO": unquote(re.split("[?#]", path, maxsplit=1)[0], "latin-1"),
            "QUERY_STRING": target.partition("?")[2],
            "RAW_URI": target if raw else "",
            "REQUEST_URI": target if raw else "",
        },
    )
    return app.test_client(use_cookies=False).open(builder)


def escaped(path: str) -> Iterator[str]:
    """The same path with one character escaped, in capitals and in small letters."""
    for position in (1, len(path) // 2, len(path) - 1):
        for form in ("%{:02x}", "%{:02X}"):
            escape = form.format(ord(path[position]))
            yield path[:position] + escape + path[position + 1 :]


def odd_spellings(path: str) -> list[str]:
    return [
        *(f"/{path}", f"//{path}", f"/{path}/", f"/%2f{path[1:]}", f"%2F{path[1:]}"),
        *(f"{path}//", f"{path}/%2f", f"{path}%2f/", path[1:], f"/.{path}", f"{path}/."),
        *(f"{path};x", f"{path}%20", f"{path}%00", path.upper(), f"http://h/{path}"),
    ]


@pytest.fixture
def guarded(share_app: Callable[..., Flask]) -> Flask:
    return share_app(metrics_token=TOKEN, require_https=True)


class TestProbesAndScrapes:
    @for_each("path", OWN_SPELLING_ALONE)
    def test_they_have_one_spelling(self, app: Flask, path: str) -> None:
        others = [*odd_spellings(path), *escaped(path), f"{path}/", f"{path}%2f", f"{path}#x"]
        for spelling in others:
            for method in ("GET", "HEAD", "OPTIONS", "POST"):
                response = ask(app, spelling, method)
                assert response.status_code == 404, (method, spelling)
            error(ask(app, spelling), 404, "NOT_FOUND")
        for spelling in (path, f"http://ragauth.test{path}", f"HTTPS://x:1{path}"):
            assert ask(app, spelling).status_code == 200, spelling

    def test_a_query_is_no_part_of_the_spelling(self, app: Flask) -> None:
        assert ask(app, "/metrics?%6d=/x").status_code == 200
        assert ask(app, "http://x/metrics?x").status_code == 200

    @for_each("path", OWN_SPELLING_ALONE)
    def test_a_server_that_does_not_tell_the_target_serves_them(
        self, app: Flask, path: str
    ) -> None:
        assert ask(app, path, raw=False).status_code == 200
        for spelling in (f"/{path}", f"{path}/"):
            error(ask(app, spelling, raw=False), 404, "NOT_FOUND")

    def test_they_may_lie_below_a_mount_point(self, app: Flask) -> None:
        for target, status in (("/auth/metrics", 200), ("/auth/%6detrics", 404)):
            spelled = {"RAW_URI": target, "REQUEST_URI": target}
            builder = EnvironBuilder(
                "/metrics", base_url="http://localhost/auth/", environ_overrides=spelled
            )
            assert app.test_client().open(builder).status_code == status

    @for_each("path", OWN_SPELLING_ALONE)
    def test_that_spelling_alone_may_come_over_plain_http(self, guarded: Flask, path: str) -> None:
        assert ask(guarded, path, Authorization=f"Bearer {TOKEN}").status_code == 200
        for spelling in (*odd_spellings(path), *escaped(path), f"{path}/"):
            error(ask(guarded, spelling), 403, "AUTHORIZATION_ERROR", "https_required")

    def test_another_spelling_is_counted_as_no_route(self, app: Flask) -> None:
        ask(app, "/%72eadyz")
        before = _count(app, "unmatched"), _count(app, "/readyz")
        ask(app, "/%72eadyz")
        assert (_count(app, "unmatched"), _count(app, "/readyz")) == (before[0] + 1, before[1])


def _count(app: Flask, route: str) -> float:
    lines = ask(app, "/metrics").text.splitlines()
    counts = [
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("ragauth_requests_total{") and f'route="{route}"' in line
    ]
    return sum(counts)


class TestEveryOtherRoute:
    def test_it_is_there_with_and_without_one_slash_at_its_end_and_no_more(
        self, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        app = make_app(compat=("ragchats", "rst", "unkey"))
        key = {"X-API-Key": client.sign_up().api_key}
        rules = [rule for rule in app.url_map.iter_rules() if "<path:" not in rule.rule]
        assert len(rules) > 60
        for rule in rules:
            path = re.sub("<[^>]*>", TYPE_ID, rule.rule)
            if path in OWN_SPELLING_ALONE:
                continue
            assert _is_known(app, path, **key), path
            if path == "/":
                # With one slash more it would begin with two.
                continue
            assert _is_known(app, f"{path}/", **key), path
            others = [f"/{path}"]
            # Whatever lies below `authorize` is `authorize`.
            others += [] if path == AUTHORIZE else [f"{path}//", f"{path}/%2f"]
            if path in (AUTHORIZE, "/api/auth/me"):
                # They are wrong whatever the route is, for the gate and for the application.
                others += [f"//{path}/", path[1:], f"http://h/{path}"]
            for spelling in others:
                assert not _is_known(app, spelling, **key), spelling
            assert _is_known(app, next(escaped(path)), **key), path


def _is_known(app: Flask, target: str, **headers: str) -> bool:
    """By what OPTIONS answers, which does nothing."""
    response = ask(app, target, "OPTIONS", **headers)
    assert response.status_code in (200, 404), (target, response.status_code)
    assert "Location" not in response.headers
    return response.status_code != 404


class TestMetricsToken:
    def test_without_the_setting_everyone_may_read(self, client: Client) -> None:
        for caller in (client, client.as_user("x"), client.as_key("x")):
            assert caller.get("/metrics").status_code == 200

    @for_each("method", ["GET", "HEAD"])
    def test_with_it_whoever_presents_the_token(self, guarded: Flask, method: str) -> None:
        for scheme in ("Bearer", "bearer", "BEARER "):
            response = ask(guarded, "/metrics", method, Authorization=f"{scheme} {TOKEN}")
            assert response.status_code == 200
            assert response.headers["Cache-Control"] == "no-store"

    @for_each(
        ("header", "reason"),
        [
            *((None, "missing"), ("", "missing"), ("Bearer", "missing"), ("Bearer ", "missing")),
            *(("Basic YTpi", "malformed"), (TOKEN, "malformed"), ("Bearer \xe9", "malformed")),
            *(("Bearer x", "invalid"), (f"Bearer {TOKEN}x", "invalid")),
            *((f"Bearer {TOKEN[:-1]}", "invalid"), (f"Bearer {TOKEN.upper()}", "invalid")),
        ],
    )
    def test_nobody_else(self, guarded: Flask, header: str | None, reason: str) -> None:
        headers = {} if header is None else {"Authorization": header}
        response = ask(guarded, "/metrics", **headers)
        error(response, 401, "AUTHENTICATION_ERROR", reason)
        for method in ("HEAD", "OPTIONS", "POST", "DELETE"):
            refused = ask(guarded, "/metrics", method, **headers)
            assert refused.status_code == 401
            challenge = "WWW-Authenticate"
            assert refused.headers[challenge] == response.headers[challenge]

    def test_a_credential_of_the_service_is_another_one(self, guarded: Flask) -> None:
        over_https = Client(guarded, {"X-Forwarded-Proto": "https"})
        member = (
            Client(guarded)
            .app.test_client(use_cookies=False)
            .post(
                "/api/auth/signup",
                json={"email": "ada@example.com", "password": "correct horse battery staple"},
                base_url="https://auth.example.com",
            )
        )
        data = member.get_json()["data"]
        for credential in (data["token"], data["api_key"]):
            response = over_https.as_user(credential).get("/metrics")
            error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        error(over_https.as_key(TOKEN).get("/metrics"), 401, "AUTHENTICATION_ERROR", "missing")

    def test_the_probes_do_not_ask_for_it(self, guarded: Flask) -> None:
        for path in ("/healthz", "/readyz"):
            assert ask(guarded, path).status_code == 200

    def test_right_and_wrong_methods_are_told_to_who_has_it(self, guarded: Flask) -> None:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        error(ask(guarded, "/metrics", "POST", **bearer), 405, "VALIDATION_ERROR")
        allowed = ask(guarded, "/metrics", "OPTIONS", **bearer).headers["Allow"]
        assert set(allowed.split(", ")) == {"GET", "HEAD", "OPTIONS"}

    def test_no_line_of_the_log_holds_it(
        self, guarded: Flask, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """S27: no token stands in a log."""
        for header in (f"Bearer {TOKEN}", f"Bearer {TOKEN}x", TOKEN):
            ask(guarded, "/metrics", Authorization=header)
        assert TOKEN not in capfd.readouterr().err
