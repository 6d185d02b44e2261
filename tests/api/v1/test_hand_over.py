"""S47: a check that the polling thread cannot finish leaves no trace there, and is made again."""

import pytest
from flask import Flask

from ragauth.deadlines import WouldWait, current_deadline
from ragauth.metrics import CHECKS, board
from ragauth.models.reads.prepared import PreparedReads
from ragauth.web.check.login_shedding import MUST_NOT_WAIT
from tests.cases import for_each
from tests.clients import Client, Member
from tests.factories.api_keys import make_service_key
from tests.runtime import runtime_of


@pytest.fixture
def database() -> str:
    return "postgres"


@pytest.fixture
def member(client: Client) -> Member:
    return client.sign_up()


def _checks_by_verdict() -> dict[str, float]:
    told = CHECKS.read(board.sums())
    return {each.labels[0]: each.counts[-1] for each in told}


def _ask_in_the_poller(app: Flask, member: Member, path: str, method: str) -> int:
    body = {"key": member.api_key}
    is_verify = method == "POST"
    key = make_service_key(app, "verify") if is_verify else member.api_key
    answer = app.test_client().open(
        path,
        method=method,
        headers={"X-API-Key": key},
        json=body if is_verify else None,
        environ_overrides={MUST_NOT_WAIT: True},
    )
    return answer.status_code


@for_each(("path", "method"), [("/api/v1/authorize", "GET"), ("/api/v1/keys/verify", "POST")])
def test_it_counts_nothing(app: Flask, member: Member, path: str, method: str) -> None:
    reads: PreparedReads = runtime_of(app).reads
    before = _checks_by_verdict()
    reads.close()
    with pytest.raises(WouldWait):
        _ask_in_the_poller(app, member, path, method)
    assert _checks_by_verdict() == before
    assert current_deadline.get() is None


def test_the_pool_makes_the_connection_that_the_poller_then_uses(
    app: Flask, member: Member
) -> None:
    reads: PreparedReads = runtime_of(app).reads
    reads.close()
    statuses = []
    for _ in range(20):
        try:
            statuses.append(_ask_in_the_poller(app, member, "/api/v1/authorize", "GET"))
            break
        except WouldWait:
            # As the worker does; on a busy machine more than once.
            member.client.get("/api/auth/me")
    assert statuses == [200]
