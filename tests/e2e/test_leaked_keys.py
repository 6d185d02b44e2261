"""GitHub reports leaked keys to a service of several processes."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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
    settings = {"RAGAUTH_GITHUB_KEYS_URL": github.url, "RAGAUTH_LEAKED_KEYS": "revoke"}
    with installation.serve(workers=3, **settings) as service:
        yield service


def report(service: Service, github: Github, body: bytes) -> httpx.Response:
    """Over a connection of its own, so that any process may answer."""
    return send(service, body, github.sign(body))


def send(service: Service, body: bytes, headers: dict[str, str]) -> httpx.Response:
    headers = {**headers, "Content-Type": "application/json"}
    return service.client.post(PATH, content=body, headers=headers)


def test_a_reported_key_is_dead_in_every_process(github: Github, revoking: Service) -> None:
    """S20: from the moment that the answer was sent."""
    user: User = revoking.sign_up()
    keys = [user.api_key, *(user.create_key()[1] for _ in range(4))]
    for key in keys:
        assert {revoking.authorize(key) for _ in range(6)} == {200}
        answer = report(revoking, github, json.dumps([found(key)]).encode())
        assert (answer.status_code, answer.json()[0]["label"]) == (200, "true_positive")
        assert {revoking.authorize(key) for _ in range(12)} == {401}


def test_what_one_process_fetched_all_of_them_know(github: Github, revoking: Service) -> None:
    """S37: strangers who send unknown identifiers make all processes together ask once a minute.

    And while GitHub's list is out of reach, its keys are known to every process.
    """
    body = json.dumps([found("nothing")]).encode()
    with ThreadPoolExecutor(12) as pool:
        answers = pool.map(lambda _: report(revoking, github, body), range(18))
        assert {answer.status_code for answer in answers} == {200}
        github.status = 500
        unknown = {**github.sign(body), "Github-Public-Key-Identifier": "unknown"}
        refused = pool.map(lambda _: send(revoking, body, unknown), range(18))
        assert {answer.status_code for answer in refused} == {401}
        answers = pool.map(lambda _: report(revoking, github, body), range(18))
        assert {answer.status_code for answer in answers} == {200}
    github.status = 200
    assert github.asked == 1


def test_a_report_may_have_256_kib(github: Github, revoking: Service) -> None:
    """S29: and not a byte more, in one piece or in chunks."""
    for size, status in ((256 * 1024, 200), (256 * 1024 + 1, 413)):
        body = b"[]".ljust(size)
        headers = {**github.sign(body), "Content-Type": "application/json"}
        for content in (body, iter([body])):
            answer = revoking.client.post(PATH, content=content, headers=headers)
            assert answer.status_code == status, answer.text
