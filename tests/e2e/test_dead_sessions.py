"""S14: whatever ends a session counts on the next request, whichever worker it meets."""

from collections import Counter
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from tests.e2e.conftest import on_postgres
from tests.e2e.service import PASSWORD, Service, User, at_once

_TRIES = 60

# Where a reader may still see what was there before.
pytestmark = on_postgres


def _log_out(user: User) -> httpx.Response:
    return user.request("POST", "/api/auth/logout")


def _log_out_with_the_refresh_token(user: User) -> httpx.Response:
    return user.request("POST", "/api/auth/logout", token=user.refresh_token)


def _end_it_from_another_session(user: User) -> httpx.Response:
    (current,) = [
        session for session in user.data("GET", "/api/auth/sessions") if session["current"]
    ]
    other = user.log_in()["token"]
    return user.request("DELETE", f"/api/auth/sessions/{current['id']}", token=other)


def _end_all_others(user: User) -> httpx.Response:
    return user.request("DELETE", "/api/auth/sessions", token=user.log_in()["token"])


def _end_all(user: User) -> httpx.Response:
    return user.request("DELETE", "/api/auth/sessions?all=true")


def _delete_the_account(user: User) -> httpx.Response:
    return user.service.insist("/api/auth/me/delete", {"password": PASSWORD}, user.token)


@pytest.mark.parametrize(
    "end",
    [
        _log_out,
        _log_out_with_the_refresh_token,
        _end_it_from_another_session,
        _end_all_others,
        _end_all,
        _delete_the_account,
    ],
    ids=lambda end: end.__name__.strip("_"),
)
def test_both_tokens_are_dead_in_every_worker(
    service: Service, end: Callable[[User], httpx.Response]
) -> None:
    user = service.sign_up()
    assert _statuses(service, user.token)[0] == {200}
    answer = end(user)
    assert answer.status_code == 204, answer.text
    statuses, workers = _statuses(service, user.token)
    assert statuses == {401}
    assert set(workers) == set(service.gunicorn.worker_pids())
    refreshed = service.client.post(
        "/api/auth/token/refresh", json={"refresh_token": user.refresh_token}
    )
    assert refreshed.status_code == 401


def _statuses(service: Service, token: str) -> tuple[set[int], Counter[int]]:
    """What many requests at once get, over a connection each, and who answered them."""
    request_ids = [uuid4().hex for _ in range(_TRIES)]

    def ask(several: list[str]) -> list[int]:
        return [service.get("/api/auth/me", token, request_id) for request_id in several]

    answers = at_once([lambda part=request_ids[number::6]: ask(part) for number in range(6)])
    workers = Counter(
        line["pid"] for line in service.request_lines() if line["request_id"] in request_ids
    )
    return {status for part in answers for status in part}, workers
