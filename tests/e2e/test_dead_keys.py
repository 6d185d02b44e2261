"""S20: from the answer that killed a key on, no worker accepts it, under load."""

from collections.abc import Callable

import pytest

from tests.e2e.conftest import on_postgres
from tests.e2e.load import ACCEPTED_FIRST, kill_under_load
from tests.e2e.service import PASSWORD, Service, User

# Who kills which key: returns the raw key, and the killing that waits for its answer.
Arrange = Callable[[Service, User], tuple[str, Callable[[], None]]]


def _answers(user: User, status: int, method: str, path: str, **body: object) -> None:
    arguments = {"json": body} if body else {}
    response = user.request(method, path, **arguments)
    assert response.status_code == status, response.text


def _deleted(service: Service, user: User) -> tuple[str, Callable[[], None]]:
    key_id, raw_key = user.create_key()
    return raw_key, lambda: _answers(user, 204, "DELETE", f"/api/auth/api-keys/{key_id}")


def _disabled(service: Service, user: User) -> tuple[str, Callable[[], None]]:
    key_id, raw_key = user.create_key()
    return raw_key, lambda: _answers(
        user, 200, "PATCH", f"/api/auth/api-keys/{key_id}", is_active=False
    )


def _rotated(service: Service, user: User) -> tuple[str, Callable[[], None]]:
    key_id, raw_key = user.create_key()
    return raw_key, lambda: _answers(
        user, 201, "POST", f"/api/auth/api-keys/{key_id}/rotate", grace_seconds=0
    )


def _regenerated(service: Service, user: User) -> tuple[str, Callable[[], None]]:
    raw_key = user.data("POST", "/api/auth/api-key/regenerate")["api_key"]
    return raw_key, lambda: _answers(user, 200, "POST", "/api/auth/api-key/regenerate")


def _agent_deleted(service: Service, user: User) -> tuple[str, Callable[[], None]]:
    agent_id = user.data("POST", "/api/agents", json={"name": "short-lived"})["id"]
    _, raw_key = user.create_key(agent_id=agent_id)
    return raw_key, lambda: _answers(user, 204, "DELETE", f"/api/agents/{agent_id}")


def _revoked_by_its_finder(service: Service, user: User) -> tuple[str, Callable[[], None]]:
    _, raw_key = user.create_key()

    def revoke() -> None:
        response = service.client.post("/api/v1/keys/revoke", json={"key": raw_key})
        assert response.status_code == 204, response.text

    return raw_key, revoke


def _account_suspended(service: Service, user: User) -> tuple[str, Callable[[], None]]:
    owner = service.sign_up()

    def suspend() -> None:
        service.installation.command("accounts", "suspend", owner.email)

    return owner.api_key, suspend


def _account_deleted(service: Service, user: User) -> tuple[str, Callable[[], None]]:
    owner = service.sign_up()
    return owner.api_key, lambda: _answers(
        owner, 204, "POST", "/api/auth/me/delete", password=PASSWORD
    )


class TestIsRefused:
    def test_a_deleted_key_in_each_of_many_tries(self, service: Service, user: User) -> None:
        raw_key, kill = _deleted(service, user)
        outcome = kill_under_load(service, raw_key, kill, tries=150, of_each=10)
        assert len(outcome.tries) >= 150
        assert outcome.statuses == {401}
        assert outcome.accepted_before >= ACCEPTED_FIRST
        assert outcome.by_worker.total() == len(outcome.tries)
        assert set(outcome.by_worker) == set(service.gunicorn.worker_pids())
        assert min(outcome.by_worker.values()) >= 10

    @on_postgres
    @pytest.mark.parametrize(
        ("arrange", "status"),
        [
            (_disabled, 401),
            (_rotated, 401),
            (_regenerated, 401),
            (_agent_deleted, 401),
            (_revoked_by_its_finder, 401),
            (_account_suspended, 403),
            (_account_deleted, 401),
        ],
        ids=lambda value: value.__name__.strip("_") if callable(value) else str(value),
    )
    def test_a_key_that_was(
        self, service: Service, user: User, arrange: Arrange, status: int
    ) -> None:
        raw_key, kill = arrange(service, user)
        outcome = kill_under_load(service, raw_key, kill, tries=40)
        assert len(outcome.tries) >= 40
        assert outcome.statuses == {status}
        assert outcome.accepted_before >= ACCEPTED_FIRST
        assert set(outcome.by_worker) == set(service.gunicorn.worker_pids())
