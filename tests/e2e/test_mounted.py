"""SCRIPT_NAME in gunicorn's environment: the service is below a path, and no path is a crash."""

import json

import httpx

from tests.e2e.conftest import NewInstallation


def test_below_the_path_and_past_it(new_installation: NewInstallation) -> None:
    installation = new_installation("sqlite")
    with installation.serve(workers=1, SCRIPT_NAME="/auth/") as service:
        key = service.sign_up().api_key
        statuses = {
            path: service.client.get(path, headers={"X-API-Key": key}).status_code
            for path in (
                *("/auth", "/auth/", "/auth/docs", "/auth/healthz", "/auth/api/v1/authorize"),
                *("/healthz", "/docs", "/api/v1/authorize", "/api/v1/authorize/deep"),
                *("/authors", "/auth/auth/docs", "/nowhere", "/auth/%68ealthz"),
            )
        }
        assert [path for path, status in statuses.items() if status != 200] == [
            *("/authors", "/auth/auth/docs", "/nowhere", "/auth/%68ealthz")
        ]
        assert set(statuses.values()) == {200, 404}
        assert service.client.get("/auth/").json()["data"]["docs"] == "/auth/docs"
        claimed = httpx.get(f"{service.gunicorn.url}/auth/", headers={"SCRIPT_NAME": "/evil"})
        assert claimed.json()["data"]["docs"] == "/auth/docs"
        for line in service.gunicorn.log().splitlines():
            assert json.loads(line)["level"] == "INFO"
