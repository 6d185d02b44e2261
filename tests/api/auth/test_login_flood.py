"""A login that finds no place to be hashed is turned away before anything is done for it."""

import pytest

from ragauth.services.hashing import PLACES, hashing_gate
from ragauth.web.login_shedding import MUST_NOT_WAIT
from tests.clients import Client, assert_same_answer, error, ok


@pytest.fixture
def no_place(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    """Every place is taken, by hashes that take their time."""
    client.sign_up()
    monkeypatch.setattr(hashing_gate, "_taken", PLACES)


@pytest.mark.usefixtures("no_place")
class TestWhileEveryPlaceIsTaken:
    @pytest.mark.parametrize("origin", [{}, {"Origin": "https://app.example.com"}])
    def test_a_login_is_told_when_to_come_back(
        self, client: Client, origin: dict[str, str]
    ) -> None:
        """S10: by the gate, or for a browser by the application, in the same words."""
        body = {"email": "dev@example.com", "password": "your-secure-password"}
        response = client.post("/api/auth/login", body, headers=origin)
        error(response, 429, "RATE_LIMIT_EXCEEDED")
        assert response.headers["Retry-After"] == "1"

    def test_both_ways_are_one_answer(self, client: Client) -> None:
        body = {"email": "dev@example.com", "password": "your-secure-password"}
        assert_same_answer(
            client.post("/api/auth/login", body),
            client.post("/api/auth/login", body, headers={"Origin": "https://other.test"}),
        )


def test_a_thread_that_must_not_wait_hashes_nothing(client: Client) -> None:
    """S10: a place that was freed in the meantime is for the pool's threads."""
    body = {"email": "dev@example.com", "password": "your-secure-password"}
    response = client.post("/api/auth/login", body, environ_overrides={MUST_NOT_WAIT: True})
    error(response, 429, "RATE_LIMIT_EXCEEDED")


def test_a_login_goes_through_when_a_place_is_free(client: Client) -> None:
    member = client.sign_up()
    assert ok(client.get("/healthz"))["status"] == "ok"
    assert client.log_in(member)["account"]["id"] == member.id
