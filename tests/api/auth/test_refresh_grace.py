"""POST /api/auth/token/refresh within its grace: who is told the successor again."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Barrier, Thread

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from ragauth.extensions import db
from ragauth.models import Session
from tests.clients import PASSWORD, Client, Member, error, ok

PATH = "/api/auth/token/refresh"
RAGCHATS = "/compat/ragchats/api/auth/token/refresh/"
NOON = "2026-03-01T12:00:00Z"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"
REUSED = "session:refresh_token_reused"
REFUSED = "session:refresh_refused"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from; `agent` None sends no User-Agent header."""

    ip: str = "203.0.113.7"
    agent: str | None = BROWSER

    def present(self, client: Client, refresh_token: str, path: str = PATH) -> TestResponse:
        name = "refresh" if path == RAGCHATS else "refresh_token"
        return self.call(client, path, {name: refresh_token})

    def call(self, client: Client, path: str, body: dict[str, str]) -> TestResponse:
        environ: dict[str, str] = {"REMOTE_ADDR": self.ip}
        if self.agent is not None:
            environ["HTTP_USER_AGENT"] = self.agent
        headerless = client.app.test_client(use_cookies=False)
        headerless.environ_base.pop("HTTP_USER_AGENT", None)
        return headerless.post(path, json=body, environ_base=environ, headers=client.headers)


OWNER = Origin()


@pytest.fixture
def clock() -> time_machine.Traveller:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def member(client: Client, clock: time_machine.Traveller) -> Member:
    return client.sign_up()


def assert_same_successor(client: Client, member: Member, first: Origin, second: Origin) -> None:
    successor = ok(first.present(client, member.refresh_token))["refresh_token"]
    again = ok(second.present(client, member.refresh_token))
    assert again["refresh_token"] == successor


def assert_refused_and_nothing_ends(
    client: Client, member: Member, first: Origin, second: Origin
) -> None:
    pair = ok(first.present(client, member.refresh_token))
    response = second.present(client, member.refresh_token)
    error(response, 401, "AUTHENTICATION_ERROR", "reused")
    ok(client.as_user(pair["token"]).get("/api/auth/me"))
    assert member.event_names().count(REUSED) == 0
    ok(first.present(client, pair["refresh_token"]))


def assert_the_session_ends(client: Client, member: Member, first: Origin, second: Origin) -> None:
    other = client.log_in(member)
    pair = ok(first.present(client, member.refresh_token))
    response = second.present(client, member.refresh_token)
    error(response, 401, "AUTHENTICATION_ERROR", "reused")
    for origin in (first, second):
        response = origin.present(client, pair["refresh_token"])
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")
    me = client.as_user(pair["token"]).get("/api/auth/me")
    error(me, 401, "AUTHENTICATION_ERROR", "revoked")
    events = ok(client.as_user(other["token"]).get("/api/auth/events"))
    assert [event["name"] for event in events].count(REUSED) == 1


class TestTheSameClient:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7", "203.0.113.255"),
            ("203.0.113.7", "::ffff:203.0.113.9"),
            ("2001:db8:1:2::3", "2001:db8:1:2:ffff::1"),
            ("::1", "::1"),
        ],
    )
    def test_gets_the_same_successor_from_its_network(
        self, client: Client, member: Member, first: str, second: str
    ) -> None:
        """S44: a /24, or a /64; an IPv4-mapped address is an IPv4 one."""
        assert_same_successor(client, member, Origin(first), Origin(second))

    @pytest.mark.both_databases
    @pytest.mark.parametrize("agent", [None, "", "x", "ä", BROWSER * 40])
    def test_gets_it_with_its_user_agent_whatever_that_is(
        self, client: Client, member: Member, agent: str | None
    ) -> None:
        """S44: two requests without one have the same."""
        assert_same_successor(client, member, Origin(agent=agent), Origin(agent=agent))

    @pytest.mark.both_databases
    def test_gets_it_as_often_as_it_asks(self, client: Client, member: Member) -> None:
        answers = [OWNER.present(client, member.refresh_token) for _ in range(3)]
        assert len({ok(answer)["refresh_token"] for answer in answers}) == 1


class TestAnotherNetwork:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("203.0.113.7", "203.0.112.7"),
            ("203.0.113.7", "198.51.100.1"),
            ("203.0.113.7", "2001:db8:1:2::3"),
            ("2001:db8:1:2::3", "2001:db8:1:3::3"),
            ("203.0.113.7", "::203.0.113.7"),
        ],
    )
    def test_alone_is_refused_and_ends_nothing(
        self, client: Client, member: Member, first: str, second: str
    ) -> None:
        """S44: whoever is there is not told the successor."""
        assert_refused_and_nothing_ends(client, member, Origin(first), Origin(second))

    def test_is_one_event_for_each_generation_however_often_it_asks(
        self, client: Client, member: Member
    ) -> None:
        """S44: the owner can see that somebody asked."""
        elsewhere = Origin("198.51.100.1")
        token = member.refresh_token
        for rotations in (1, 2):
            successor = ok(OWNER.present(client, token))["refresh_token"]
            for _ in range(3):
                response = elsewhere.present(client, token)
                error(response, 401, "AUTHENTICATION_ERROR", "reused")
            assert member.event_names().count(REFUSED) == rotations
            token = successor
        events = ok(member.client.get("/api/auth/events"))
        told = {event["ip"] for event in events if event["name"] == REFUSED}
        assert told == {"198.51.100.1"}

    def test_after_the_grace_ends_the_session_as_any_reuse_does(
        self, client: Client, member: Member, clock: time_machine.Traveller
    ) -> None:
        """S13: only the grace knows networks."""
        ok(OWNER.present(client, member.refresh_token))
        clock.shift(21)
        response = Origin("198.51.100.1").present(client, member.refresh_token)
        error(response, 401, "AUTHENTICATION_ERROR", "reused")
        error(member.client.get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "revoked")

    def test_may_spend_the_successor(self, client: Client, member: Member) -> None:
        """The network binds the grace, not the session: a phone goes where it goes."""
        successor = ok(OWNER.present(client, member.refresh_token))["refresh_token"]
        ok(Origin("198.51.100.1").present(client, successor))


class TestAnotherUserAgent:
    @pytest.mark.parametrize(
        ("ip", "first", "second"),
        [
            ("198.51.100.1", BROWSER, "curl/8.5.0"),
            ("203.0.113.7", BROWSER, "curl/8.5.0"),
            ("203.0.113.7", BROWSER, None),
            ("203.0.113.7", None, BROWSER),
            ("203.0.113.7", BROWSER, BROWSER.lower()),
            ("203.0.113.7", "x" * 500 + "a", "x" * 500 + "b"),
            ("203.0.113.7", "rag_live_" + "a" * 36, "rag_live_" + "b" * 36),
            ("203.0.113.7", "ä", "a"),
        ],
    )
    def test_is_a_theft_wherever_it_is(
        self, client: Client, member: Member, ip: str, first: str | None, second: str | None
    ) -> None:
        """S44: compared by all that was sent, not by what is kept of it."""
        assert_the_session_ends(client, member, Origin(agent=first), Origin(ip, second))

    def test_of_a_thief_who_watches_the_sessions_is_noticed(
        self, client: Client, member: Member
    ) -> None:
        """S44: he presents the stolen token right after its owner did."""
        thief = Origin("198.51.100.1", "curl/8.5.0")
        ok(member.client.get("/api/auth/sessions"))
        pair = ok(OWNER.present(client, member.refresh_token))
        response = thief.present(client, member.refresh_token)
        error(response, 401, "AUTHENTICATION_ERROR", "reused")
        me = client.as_user(pair["token"]).get("/api/auth/me")
        error(me, 401, "AUTHENTICATION_ERROR", "revoked")

    def test_of_an_owner_who_comes_second_ends_what_the_thief_got(
        self, client: Client, member: Member
    ) -> None:
        """S44"""
        assert_the_session_ends(client, member, Origin("198.51.100.1", "curl/8.5.0"), OWNER)


class TestNoAddress:
    @pytest.fixture
    def proxied(self, client: Client, member: Member, make_app: Callable[..., Flask]) -> Client:
        return Client(make_app(trusted_proxies=1))

    @pytest.mark.parametrize(
        ("first", "second"),
        [("unknown", "203.0.113.7"), ("203.0.113.7", "unknown"), ("unknown", "unknown")],
    )
    def test_is_no_network_not_even_that_of_another_without(
        self, proxied: Client, member: Member, first: str, second: str
    ) -> None:
        """S44: it fails closed; nobody vouches for the two being one."""

        def come_from(address: str) -> Client:
            return Client(proxied.app, {"X-Forwarded-For": address})

        pair = ok(OWNER.present(come_from(first), member.refresh_token))
        response = OWNER.present(come_from(second), member.refresh_token)
        error(response, 401, "AUTHENTICATION_ERROR", "reused")
        ok(OWNER.present(come_from(first), pair["refresh_token"]))

    def test_with_another_user_agent_is_a_theft_all_the_same(
        self, proxied: Client, member: Member
    ) -> None:
        """S44"""
        unknown = Client(proxied.app, {"X-Forwarded-For": "unknown"})
        assert_the_session_ends(unknown, member, OWNER, Origin(agent="curl/8.5.0"))

    def test_a_rotation_that_noted_no_spender_is_told_to_nobody_and_ends_nothing(
        self, client: Client, member: Member
    ) -> None:
        """S44: a worker of an earlier version rotated it, while the service was updated."""
        pair = ok(OWNER.present(client, member.refresh_token))
        with client.app.app_context(), db.engine.begin() as connection:
            connection.execute(update(Session).values(spender_network=None, spender_agent=None))
        response = OWNER.present(client, member.refresh_token)
        error(response, 401, "AUTHENTICATION_ERROR", "reused")
        ok(OWNER.present(client, pair["refresh_token"]))


class TestTheCookie:
    @pytest.mark.parametrize(
        ("second", "reason", "lives"),
        [
            (OWNER, None, True),
            (Origin("198.51.100.1"), "reused", True),
            (Origin(agent="curl/8.5.0"), "reused", False),
        ],
    )
    def test_is_told_again_as_the_token_is(
        self,
        client: Client,
        member: Member,
        make_app: Callable[..., Flask],
        second: Origin,
        reason: str | None,
        lives: bool,
    ) -> None:
        """S44: in cookie mode too."""
        in_cookies = make_app(refresh_cookie=True)

        def present(origin: Origin, token: str) -> TestResponse:
            headers = {"Cookie": f"__Host-ragauth_refresh={token}", "X-Ragauth-CSRF": "1"}
            return origin.call(Client(in_cookies, headers), PATH, {})

        successor = present(OWNER, member.refresh_token)
        ok(successor)
        response = present(second, member.refresh_token)
        if reason is None:
            ok(response)
            assert response.headers["Set-Cookie"] == successor.headers["Set-Cookie"]
        else:
            error(response, 401, "AUTHENTICATION_ERROR", reason)
            # A dead session's cookie is taken back; one that may live on stays.
            assert ("Set-Cookie" in response.headers) is not lives
        assert (member.client.get("/api/auth/me").status_code == 200) is lives


class TestAFaceThatDoesNotRotate:
    @pytest.mark.parametrize(
        ("second", "status", "lives"),
        [
            (OWNER, 200, True),
            (Origin("198.51.100.1"), 401, True),
            (Origin(agent="curl/8.5.0"), 401, False),
        ],
    )
    def test_renews_for_who_spent_the_token_elsewhere_alone(
        self,
        client: Client,
        member: Member,
        make_app: Callable[..., Flask],
        second: Origin,
        status: int,
        lives: bool,
    ) -> None:
        """S44: the compat faces ask the same question."""
        faces = Client(make_app(compat=("ragchats",)))
        pair = ok(OWNER.present(client, member.refresh_token))
        response = second.present(faces, member.refresh_token, RAGCHATS)
        assert response.status_code == status
        if status == 401:
            assert response.get_json()["error"] == "token_reused"
        assert (member.client.get("/api/auth/me").status_code == 200) is lives
        # The successor itself may be used there from anywhere, as a token that is not spent.
        renewed = second.present(faces, pair["refresh_token"], RAGCHATS)
        assert (renewed.status_code == 200) is lives


@pytest.mark.both_databases
class TestAtTheSameInstant:
    def at_once(self, client: Client, token: str, origins: list[Origin]) -> list[TestResponse]:
        barrier = Barrier(len(origins), timeout=30)
        answers: list[TestResponse] = []

        def ask(origin: Origin) -> None:
            barrier.wait()
            answers.append(origin.present(client, token))

        threads = [Thread(target=ask, args=(origin,)) for origin in origins]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def test_one_of_two_networks_gets_the_one_successor_and_nothing_ends(
        self, client: Client
    ) -> None:
        """S44"""
        member = client.sign_up()
        origins = [OWNER, Origin("198.51.100.1")] * 5
        answers = self.at_once(client, member.refresh_token, origins)
        told = [answer for answer in answers if answer.status_code == 200]
        assert len(told) == 5
        assert len({ok(answer)["refresh_token"] for answer in told}) == 1
        for answer in answers:
            if answer not in told:
                error(answer, 401, "AUTHENTICATION_ERROR", "reused")
        ok(member.client.get("/api/auth/me"))
        assert member.event_names().count(REFUSED) == 1

    def test_two_user_agents_end_the_session_whoever_was_first(self, client: Client) -> None:
        """S44"""
        member = client.sign_up()
        origins = [OWNER, Origin(agent="curl/8.5.0")] * 5
        answers = self.at_once(client, member.refresh_token, origins)
        pairs = {ok(answer)["refresh_token"] for answer in answers if answer.status_code == 200}
        assert len(pairs) == 1
        error(member.client.get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "revoked")
        for origin in origins[:2]:
            response = origin.present(client, *pairs)
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")


@pytest.mark.both_databases
class TestForgets:
    def test_a_deleted_account_leaves_nothing_of_who_spent(
        self, client: Client, member: Member
    ) -> None:
        ok(OWNER.present(client, member.refresh_token))
        exported = ok(member.client.get("/api/auth/export"))
        assert [each["spender_network"] for each in exported["sessions"]] == ["203.0.113.0/24"]
        ok(member.client.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
        with client.app.app_context(), db.engine.connect() as connection:
            found = connection.execute(select(Session.spender_network, Session.spender_agent))
            assert {tuple(row) for row in found} == {(None, None)}
