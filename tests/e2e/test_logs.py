"""S28: one JSON line a request, and none can be forged."""

import json
from urllib.parse import quote
from uuid import uuid4

from tests.e2e.service import Service, at_once


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
    # Each worker has a writer of its own.
    requests.sort(key=lambda line: line["time"])
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
