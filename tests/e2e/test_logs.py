"""S27, S28: one JSON line a request, no secret in any of them, and none can be forged."""

import json
import re
from urllib.parse import quote
from uuid import uuid4

from tests.e2e.service import PASSWORD, Service, User, at_once

_TOKEN_OR_KEY = re.compile(r"eyJ[\w-]{10,}\.[\w-]+\.[\w-]+|[a-z0-9]+_(live|test|pub|svc)_\w{36}")


def _walk(service: Service, user: User) -> list[str]:
    """Use every kind of secret, rightly and wrongly; returns all of them."""
    wrong_password = f"wrong {uuid4().hex}"
    pair = user.log_in()
    refreshed = service.client.post(
        "/api/auth/token/refresh", json={"refresh_token": pair["refresh_token"]}
    ).json()["data"]
    key_id, raw_key = user.create_key()
    rotated = user.data("POST", f"/api/auth/api-keys/{key_id}/rotate", json={"grace_seconds": 60})[
        "api_key"
    ]
    service_key = json.loads(
        service.installation.command(
            *("service-keys", "create", "--name", "walk", "--scope", "verify", "--json")
        )
    )["api_key"]
    client = service.client
    service_headers = {"X-API-Key": service_key}
    for key in (raw_key, rotated, service_key):
        client.get("/api/v1/authorize", headers={"X-API-Key": key})
        client.post("/api/v1/keys/verify", headers=service_headers, json={"key": key})
    client.post("/api/auth/login", json={"email": user.email, "password": wrong_password})
    client.post("/api/auth/login", json={"email": PASSWORD, "password": wrong_password})
    user.request("POST", "/api/auth/me/delete", json={"password": wrong_password})
    client.post("/api/auth/signup", json={"email": user.email, "password": PASSWORD, "nonsense": 1})
    # Secrets where they do not belong: in a path, a query, a field, the wrong header.
    for secret in (raw_key, pair["token"]):
        user.request("GET", f"/api/auth/api-keys/{secret}")
        client.get(f"/api/v1/authorize/{secret}", params={"scope": secret})
        client.get(f"/{secret}", params={"key": secret})
        client.post("/api/auth/token/refresh", json={"refresh_token": secret, secret: secret})
        client.get("/api/auth/me", headers={"X-API-Key": secret, "Cookie": f"token={secret}"})
        client.get("/api/auth/me", headers={"Authorization": f"Basic {secret}"})
        client.post("/api/auth/login", content=secret.encode())
    client.post("/api/v1/keys/revoke", json={"key": rotated})
    return [
        *(PASSWORD, wrong_password, user.token, user.refresh_token, user.api_key),
        *(pair["token"], pair["refresh_token"], refreshed["token"], refreshed["refresh_token"]),
        *(raw_key, rotated, service_key),
    ]


def test_no_secret_of_a_whole_walk_stands_in_the_log_or_the_events(service: Service) -> None:
    user = service.sign_up()
    secrets = _walk(service, user)
    log = service.gunicorn.log()
    assert len(log.splitlines()) > 20
    assert [secret for secret in secrets if secret in log] == []
    # The tests before this one in the same run used others.
    assert _TOKEN_OR_KEY.search(log) is None
    events = json.dumps(user.data("GET", "/api/auth/events"))
    assert "account:login_failed" in events
    assert [secret for secret in secrets if secret in events] == []


def test_every_line_is_json_and_every_request_has_one(service: Service) -> None:
    user = service.sign_up()
    asked = {
        uuid4().hex: path
        for path in ["/healthz", "/nowhere", "/api/auth/me", "/api/v1/authorize", "/api/auth/login"]
    }
    for request_id, path in asked.items():
        headers = {"X-Request-Id": request_id, "Authorization": f"Bearer {user.token}"}
        answer = service.client.get(path, headers=headers)
        assert answer.headers["X-Request-Id"] == request_id
    lines = [json.loads(line) for line in service.gunicorn.log().splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    requests = [line for line in lines if line.get("request_id") in asked]
    assert [line["path"] for line in requests] == list(asked.values())
    workers = set(service.gunicorn.worker_pids())
    for line in requests:
        assert line["method"] == "GET"
        assert line["status"] in (200, 401, 404, 405)
        assert line["ip"] == "127.0.0.1"
        assert line["duration_ms"] >= 0
        assert line["pid"] in workers


def test_line_breaks_in_what_comes_in_make_no_line_of_their_own(service: Service) -> None:
    mark = uuid4().hex
    forged = json.dumps({"logger": "ragauth.request", "message": mark, "level": "INFO"})
    breaks = ["\n", "\r\n", "\u2028", "\x85", "\x1b[2K\r"]
    for line_break in breaks:
        service.client.get("/" + quote(f"{line_break}{forged}{line_break}", safe=""))
        service.client.post(
            "/api/auth/login",
            json={"email": f"a@b.test{line_break}{forged}", "password": f"{line_break}{forged}"},
            headers={"User-Agent": f"one\ttwo {mark}"},
        )
    lines = [json.loads(line) for line in service.gunicorn.log().splitlines()]
    assert [line for line in lines if line["message"] == mark] == []
    assert len([line for line in lines if mark in line.get("path", "")]) == len(breaks)


def test_lines_of_several_workers_do_not_run_into_each_other(service: Service) -> None:
    mark = uuid4().hex
    # Six characters in the log for each of these: as long as a line can be made from outside.
    path = f"/{mark}" + "/%01" * 990
    statuses = at_once([lambda: service.get(path, "nobody") for _ in range(40)])
    assert statuses == [404] * 40
    lines = [json.loads(line) for line in service.gunicorn.log().splitlines()]
    assert len([line for line in lines if mark in line.get("path", "")]) == 40
