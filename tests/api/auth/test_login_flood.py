"""A login that finds no place to be hashed is turned away before anything is done for it."""

import json
import logging
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest
from flask import Flask
from gunicorn.http.errors import NoMoreData

from ragauth.services.accounts.hashing_gate import PLACES, hashing_gate
from ragauth.web.check.login_shedding import MUST_NOT_WAIT, is_to_be_shed
from tests.api.broken_bodies import broken_body
from tests.cases import for_each
from tests.clients import PASSWORD, Client, assert_same_answer, error, ok
from tests.factories.hashing import FLOOD, ask_beside_flood, slow_hashes
from tests.factories.mails import receive_one


@pytest.fixture
def no_place(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    """Every place is taken, by hashes that take their time."""
    client.sign_up()
    monkeypatch.setattr(hashing_gate, "_taken", PLACES)


@pytest.mark.usefixtures("no_place")
class TestWhileEveryPlaceIsTaken:
    @for_each("origin", [{}, {"Origin": "https://app.example.com"}])
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

    @pytest.mark.parametrize("length", ["20", "9" * 4400])
    def test_a_body_that_cannot_be_read_is_the_clients_fault(
        self, client: Client, length: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """S10: the gate looks at it first; the application words what is wrong with it."""
        for fault in NoMoreData(), ConnectionResetError():
            response = client.request(
                "POST",
                "/api/auth/login",
                content_type="application/json",
                environ_overrides=broken_body(fault, length),
            )
            error(response, 400, "VALIDATION_ERROR")
        assert not [line for line in caplog.records if line.levelno >= logging.ERROR]


def test_a_thread_that_must_not_wait_hashes_nothing(client: Client) -> None:
    """S10: a place that was freed in the meantime is for the pool's threads."""
    body = {"email": "dev@example.com", "password": "your-secure-password"}
    response = client.post("/api/auth/login", body, environ_overrides={MUST_NOT_WAIT: True})
    error(response, 429, "RATE_LIMIT_EXCEEDED")


def test_a_login_goes_through_when_a_place_is_free(client: Client) -> None:
    member = client.sign_up()
    assert ok(client.get("/healthz"))["status"] == "ok"
    assert client.log_in(member)["account"]["id"] == member.id


class TestBesideAnAccountThatHoldsEveryPlace:
    """S43: whoever hashes, on every face and for every purpose, takes a place of a flood."""

    @for_each("path", ["/api/auth/login", "/api/auth/login/"])
    @for_each("origin", [{}, {"Origin": "https://app.example.com"}])
    def test_a_login(self, client: Client, path: str, origin: dict[str, str]) -> None:
        """S43: past the gate in front of the application, too."""
        body = {"email": client.sign_up().email, "password": PASSWORD}
        ok(ask_beside_flood(lambda: client.post(path, body, headers=origin)))

    def test_a_signup(self, client: Client) -> None:
        """S43"""
        body = {"email": "new@example.com", "password": PASSWORD}
        ok(ask_beside_flood(lambda: client.post("/api/auth/signup", body)), 201)

    def test_a_change_of_the_password(self, client: Client) -> None:
        """S43: its second hash is one among others."""
        caller = client.sign_up().client
        body = {"current_password": PASSWORD, "new_password": "another otter in the reeds"}
        ok(ask_beside_flood(lambda: caller.post("/api/auth/password/change", body)), 204)

    @for_each(("path", "status"), [("/api/auth/second-factor", 201), ("/api/auth/me/delete", 204)])
    def test_a_password_that_confirms(self, client: Client, path: str, status: int) -> None:
        """S43"""
        caller = client.sign_up().client
        ok(ask_beside_flood(lambda: caller.post(path, {"password": PASSWORD})), status)

    def test_a_reset(self, client: Client) -> None:
        """S43"""
        ok(client.post("/api/auth/password/forgot", {"email": client.sign_up().email}), 202)
        token = receive_one(client.app, "Set a new password").token
        body = {"token": token, "new_password": "another otter in the reeds"}
        ok(ask_beside_flood(lambda: client.post("/api/auth/password/reset", body)), 204)


class TestThePollingThread:
    """S43: a server's polling thread sheds what finds no place, and nothing else."""

    def is_shed(self, app: Flask, login: object, peer: str, **environ: str) -> bool:
        body = json.dumps({"email": login, "password": PASSWORD}).encode()
        request = {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), **environ}
        shed = is_to_be_shed(app, request, peer)
        # The application reads it once more.
        assert request["wsgi.input"].read() == body
        return shed

    @pytest.fixture
    def flood(self) -> Iterator[None]:
        with slow_hashes(hashing_gate, *[FLOOD] * PLACES):
            yield

    @pytest.mark.usefixtures("flood")
    def test_an_account_that_holds_every_place_is_shed(self, app: Flask) -> None:
        """S43: with its neighbours' addresses and other spellings of its name."""
        assert self.is_shed(app, "greedy@example.com", "198.51.100.1")
        assert self.is_shed(app, " Greedy@Example.com ", "198.51.100.99")
        assert not self.is_shed(app, "greedy@example.com", "198.51.101.1")

    @pytest.mark.usefixtures("flood")
    def test_others_go_on_to_the_application(self, app: Flask) -> None:
        """S43: as does what the application must word."""
        assert not self.is_shed(app, "modest@example.com", "198.51.100.1")
        assert not self.is_shed(app, "modest@example.com", "192.0.2.1")
        assert not self.is_shed(app, 5, "198.51.100.1")
        browser = {"HTTP_ORIGIN": "https://app.example.com"}
        assert not self.is_shed(app, "greedy@example.com", "198.51.100.1", **browser)

    @pytest.mark.usefixtures("flood")
    def test_the_address_is_the_one_that_the_proxies_vouch_for(
        self, app: Flask, make_app: Callable[..., Flask]
    ) -> None:
        """S43: behind a proxy all have its address."""
        behind_one = make_app(trusted_proxies=1)
        for forwarded, is_shed in ("198.51.100.7", True), ("198.51.100.7, 192.0.2.1", False):
            header = {"HTTP_X_FORWARDED_FOR": forwarded}
            peer = "10.0.0.1"
            assert self.is_shed(behind_one, "greedy@example.com", peer, **header) is is_shed
            assert not self.is_shed(app, "greedy@example.com", peer, **header)

    def test_nothing_is_shed_while_a_place_is_free(self, app: Flask) -> None:
        assert not self.is_shed(app, "greedy@example.com", "198.51.100.1")
