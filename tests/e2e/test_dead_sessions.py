"""S14: whatever ends a session counts on the next request, whichever worker it meets."""

from collections.abc import Callable

import httpx
import pytest

from tests.e2e.conftest import on_postgres
from tests.e2e.load import of_each_worker
from tests.e2e.service import PASSWORD, Service, User, at_once

_CLIENTS = 6
_TRIES_OF_EACH = 4

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
    assert _statuses(service, user.token) == {200}
    answer = end(user)
    assert answer.status_code == 204, answer.text
    assert _statuses(service, user.token) == {401}
    refreshed = service.client.post(
        "/api/auth/token/refresh", json={"refresh_token": user.refresh_token}
    )
    assert refreshed.status_code == 401


def _statuses(service: Service, token: str) -> set[int]:
    """What each worker answers, and then many requests at once, over a connection each."""

    def ask() -> set[int]:
        return {service.get("/api/auth/me", token) for _ in range(_TRIES_OF_EACH)}

    return set().union(*of_each_worker(service, ask), *at_once([ask] * _CLIENTS))
