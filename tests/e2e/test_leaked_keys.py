"""GitHub reports leaked keys to a service of several processes."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service, User
from tests.servers.github import PATH, Github, found, running_github


@pytest.fixture(scope="module")
def github() -> Iterator[Github]:
    with running_github() as server:
        yield server


@pytest.fixture(scope="module")
def revoking(github: Github, new_installation: NewInstallation) -> Iterator[Service]:
    installation = new_installation("sqlite")
    installation.migrate()
    settings = {"RAGAUTH_GITHUB_KEYS_URL": github.url, "RAGAUTH_LEAKED_KEYS": "revoke"}
    with installation.serve(workers=3, **settings) as service:
        yield service


def report(service: Service, github: Github, body: bytes) -> httpx.Response:
    """Over a connection of its own, so that any process may answer."""
    headers = {**github.sign(body), "Content-Type": "application/json"}
    with httpx.Client(base_url=service.gunicorn.url, timeout=30) as client:
        return client.post(PATH, content=body, headers=headers)


def test_a_reported_key_is_dead_in_every_process(github: Github, revoking: Service) -> None:
    """S20: from the moment that the answer was sent. Each process has GitHub's keys of its own."""
    user: User = revoking.sign_up()
    keys = [user.api_key, *(user.create_key()[1] for _ in range(4))]
    for key in keys:
        assert {revoking.authorize(key) for _ in range(6)} == {200}
        answer = report(revoking, github, json.dumps([found(key)]).encode())
        assert (answer.status_code, answer.json()[0]["label"]) == (200, "true_positive")
        assert {revoking.authorize(key) for _ in range(12)} == {401}
    assert 1 <= github.asked <= 3


def test_a_report_may_have_256_kib(github: Github, revoking: Service) -> None:
    """S29: and not a byte more, in one piece or in chunks."""
    for size, status in ((256 * 1024, 200), (256 * 1024 + 1, 413)):
        body = b"[]".ljust(size)
        headers = {**github.sign(body), "Content-Type": "application/json"}
        for content in (body, iter([body])):
            with httpx.Client(base_url=revoking.gunicorn.url, timeout=30) as client:
                answer = client.post(PATH, content=content, headers=headers)
            assert answer.status_code == status, answer.text
