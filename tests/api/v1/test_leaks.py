"""POST /api/v1/leaks/github: what follows when a key was found in public."""

import base64
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from ragauth import clock
from ragauth.extensions import db
from ragauth.models import Event
from ragauth.models.api_keys import SECRET
from ragauth.security import key_format
from ragauth.security.identifiers import ACCOUNT, decode_id
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import api_keys
from tests.cases import for_each
from tests.clients import Client, Member, error, ok
from tests.factories.accounts import set_plan, suspend
from tests.factories.api_keys import make_service_key, mistyped, unknown_key
from tests.factories.mails import confirm_address, receive_mail
from tests.servers.github import PATH, URL, Github, found, running_github

SUBJECT = "An API key of yours was found in public"


@pytest.fixture(scope="module")
def server() -> Iterator[Github]:
    with running_github() as github:
        yield github


@pytest.fixture
def notified(server: Github, share_app: Callable[..., Flask]) -> Client:
    return Client(share_app(github_keys_url=server.url))


@pytest.fixture
def revoked(server: Github, share_app: Callable[..., Flask]) -> Client:
    return Client(share_app(github_keys_url=server.url, leaked_keys="revoke"))


def confirmed(client: Client) -> Member:
    member = client.sign_up()
    confirm_address(member)
    return member


def leaked_events(member: Member) -> list[dict[str, Any]]:
    events = ok(member.client.get("/api/auth/events?limit=100"))
    return [event["details"] for event in events if event["name"] == "api_key:leaked"]


def subjects(app: Flask) -> list[str]:
    return [mail.subject for mail in receive_mail(app)]


class TestAnswers:
    @pytest.mark.both_databases
    def test_each_text_in_its_order_by_its_digest(self, server: Github, notified: Client) -> None:
        member = notified.sign_up()
        tokens = [unknown_key(), member.api_key, "ghp_something", mistyped(member.api_key)]
        assert server.report(notified, *tokens, member.api_key) == [
            {
                "token_hash": base64.b64encode(hashlib.sha256(token.encode()).digest()).decode(),
                "token_type": "acme_api_key",
                "label": "true_positive" if token == member.api_key else "false_positive",
            }
            for token in [*tokens, member.api_key]
        ]

    @pytest.mark.both_databases
    def test_keys_of_every_kind_and_form(
        self, server: Github, notified: Client, app: Flask
    ) -> None:
        member = notified.sign_up()
        set_plan(member, "starter")
        agent = member.create_agent()
        with app.app_context():
            of_rst = api_keys.create_key(
                account_id=decode_id(ACCOUNT, member.id),
                agent_id=None,
                client=OPERATOR,
                fields={
                    "name": "made by another face",
                    "kind": SECRET,
                    "environment": key_format.LIVE,
                    "unbranded_tag": key_format.RST,
                },
            ).raw_key
        revoked = member.create_key()
        ok(member.client.delete(f"/api/auth/api-keys/{revoked['id']}"), 204)
        off = member.create_key()
        ok(member.client.patch(f"/api/auth/api-keys/{off['id']}", {"is_active": False}))
        old = "sk-live-0123456789abcdef"
        keys = [{"digest": hashlib.sha256(old.encode()).hexdigest(), "owner": member.id}]
        _import(app, [{**keys[0], "name": "from before"}])
        found_there = [
            member.create_key(environment="test")["api_key"],
            member.create_key(agent_id=agent["id"])["api_key"],
            make_service_key(app, "verify"),
            revoked["api_key"],
            off["api_key"],
            of_rst,
            old,
        ]
        judged = server.report(notified, *found_there)
        assert [one["label"] for one in judged] == ["true_positive"] * len(found_there)

    def test_a_key_of_a_web_page_is_public_and_no_leak(
        self, server: Github, revoked: Client
    ) -> None:
        member = revoked.sign_up()
        key = member.create_key(
            kind="publishable",
            agent_id=member.create_agent()["id"],
            allowed_origins=["https://shop.test"],
        )["api_key"]
        (judged,) = server.report(revoked, key)
        assert judged["label"] == "false_positive"
        assert leaked_events(member) == []
        visitor = Client(revoked.app, {"X-API-Key": key, "Origin": "https://shop.test"})
        ok(visitor.get("/api/v1/me"))


class TestNotifies:
    def test_the_owner_is_told_and_the_key_works_on(
        self, server: Github, notified: Client, app: Flask
    ) -> None:
        member = confirmed(notified)
        server.report(notified, member.api_key)
        (details,) = leaked_events(member)
        key = ok(member.client.get("/api/auth/api-keys"))[0]
        assert details == {
            "key_id": key["id"],
            "prefix": key["prefix"],
            "url": URL,
            "source": "content",
            "revoked": False,
        }
        (mail,) = [mail for mail in receive_mail(app) if mail.subject == SUBJECT]
        assert mail.to == member.email
        assert f"\n  {URL}\n" in mail.text
        assert f'<a href="{URL}"' in mail.html
        assert key["prefix"] in mail.text
        assert "still works" in mail.text
        ok(member.key_client.get("/api/v1/me"))

    def test_a_key_is_told_of_once_a_day_however_often_it_is_reported(
        self, server: Github, notified: Client, app: Flask
    ) -> None:
        """S41: a report that is sent again, or replayed by a stranger, sends no further mail."""
        with time_machine.travel("2027-02-10T12:00:00Z", tick=False) as travel:
            member = confirmed(notified)
            body = json.dumps([found(member.api_key, url=URL + "#1"), found(member.api_key)])
            for _ in range(3):
                judged = server.send(notified, body.encode()).get_json()
                assert [one["label"] for one in judged] == ["true_positive"] * 2
            assert [one["url"] for one in leaked_events(member)] == [URL + "#1"]
            assert subjects(app).count(SUBJECT) == 1
            travel.shift(timedelta(hours=25))
            server.report(notified, member.api_key)
            # A clock that was ahead is no reason to tell nobody for a year.
            travel.shift(-timedelta(hours=30))
            server.report(notified, member.api_key)
        with time_machine.travel("2027-02-12T12:00:00Z", tick=False):
            assert subjects(app).count(SUBJECT) == 2

    def test_each_key_is_told_of_by_itself(
        self, server: Github, notified: Client, app: Flask
    ) -> None:
        member = confirmed(notified)
        server.report(notified, member.api_key, member.create_key()["api_key"])
        assert len(leaked_events(member)) == 2
        assert subjects(app).count(SUBJECT) == 2

    def test_an_unconfirmed_address_and_a_managed_keys_owner_get_no_mail(
        self, server: Github, notified: Client, app: Flask
    ) -> None:
        """S41: a managed key is its operator's, who is told by the event."""
        member, other = notified.sign_up(), confirmed(notified)
        with app.app_context(), db.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE api_keys SET is_managed = true")
        server.report(notified, member.api_key, other.api_key)
        assert len(leaked_events(member)) == len(leaked_events(other)) == 1
        assert SUBJECT not in subjects(app)

    def test_a_suspended_accounts_key_leaks_too(self, server: Github, notified: Client) -> None:
        member = notified.sign_up()
        suspend(member)
        (judged,) = server.report(notified, member.api_key)
        assert judged["label"] == "true_positive"

    def test_an_expired_key_could_be_revived_so_it_is_told_of(
        self, server: Github, notified: Client
    ) -> None:
        member = notified.sign_up()
        key = member.create_key(expires_at=clock.format_time(clock.now() + timedelta(hours=1)))
        with time_machine.travel(clock.now() + timedelta(hours=2), tick=False):
            (judged,) = server.report(notified, key["api_key"])
        assert judged["label"] == "true_positive"
        assert len(leaked_events(member)) == 1


class TestRevokes:
    @pytest.mark.both_databases
    def test_the_key_is_dead_at_once_on_every_host(
        self, server: Github, revoked: Client, app: Flask
    ) -> None:
        """S20: no other process accepts it once the answer has been sent."""
        member = confirmed(revoked)
        elsewhere = Client(app).as_key(member.api_key)
        ok(elsewhere.get("/api/v1/me"))
        server.report(revoked, member.api_key)
        error(elsewhere.get("/api/v1/me"), 401, "AUTHENTICATION_ERROR", "revoked")
        (details,) = leaked_events(member)
        assert details["revoked"] is True
        (ending,) = [
            event["details"]
            for event in ok(member.client.get("/api/auth/events"))
            if event["name"] == "api_key:revoked"
        ]
        assert ending["by"] == "leak"
        (mail,) = [mail for mail in receive_mail(app) if mail.subject == SUBJECT]
        assert "was revoked at once" in mail.text
        assert "was revoked at once" in mail.html

    def test_a_replay_finds_a_dead_key_and_changes_nothing(
        self, server: Github, revoked: Client, app: Flask
    ) -> None:
        member = confirmed(revoked)
        body = json.dumps([found(member.api_key)]).encode()
        answers = [server.send(revoked, body).data for _ in range(3)]
        assert len(set(answers)) == 1
        assert member.event_names().count("api_key:revoked") == 1
        assert subjects(app).count(SUBJECT) == 1

    def test_who_was_only_told_before_loses_the_key_now(
        self, server: Github, notified: Client, revoked: Client
    ) -> None:
        member = notified.sign_up()
        server.report(notified, member.api_key)
        server.report(revoked, member.api_key)
        error(member.key_client.get("/api/v1/me"), 401, "AUTHENTICATION_ERROR", "revoked")

    def test_a_services_key_has_no_owner_but_the_log(
        self, server: Github, revoked: Client, app: Flask, caplog: pytest.LogCaptureFixture
    ) -> None:
        key = make_service_key(app, "verify")
        with caplog.at_level(logging.ERROR, logger="ragauth"):
            server.report(revoked, key)
        assert [record.message for record in caplog.records] == [
            "a service's key was found in public"
        ]
        error(Client(app).as_key(key).get("/api/v1/me"), 401, "AUTHENTICATION_ERROR", "revoked")
        with app.app_context(), db.engine.connect() as connection:
            rows = connection.execute(
                db.select(Event.account_id, Event.details).where(Event.name == "api_key:leaked")
            ).all()
        assert [row.account_id for row in rows] == [None]

    @pytest.mark.both_databases
    def test_of_ten_reports_at_once_one_tells_the_owner(
        self, server: Github, notified: Client, app: Flask
    ) -> None:
        """S41: the row decides, whichever of them is first."""
        member = confirmed(notified)
        body = json.dumps([found(member.api_key)]).encode()
        server.send(notified, body)
        at_once = [threading.Thread(target=lambda: server.send(notified, body)) for _ in range(10)]
        with app.app_context(), db.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE api_keys SET leak_told_at = NULL")
        for thread in at_once:
            thread.start()
        for thread in at_once:
            thread.join()
        assert len(leaked_events(member)) == 2


class TestWhatIsShown:
    """S46: whoever publishes a key chooses the address that its owner reads."""

    @for_each(
        ("url", "stored", "words"),
        [
            (None, None, None),
            ("javascript:alert(1)", None, None),
            ("ftp://example.com/a", None, None),
            ("https://github.com/a b", "https://github.com/a b", "https[:]//github.com/a b"),
            (
                "https://github.com@evil.test/",
                "https://github.com@evil.test/",
                "https[:]//github.com@evil.test/",
            ),
            (
                "https://github.com/\u202egpj.exe\n\x1b[2J",
                "https://github.com/\\u202egpj.exe\\n\\x1b[2J",
                "https[:]//github.com/\\u202egpj.exe\\n\\x1b[2J",
            ),
        ],
    )
    def test_a_strange_url_is_no_link(
        self,
        server: Github,
        notified: Client,
        app: Flask,
        url: str | None,
        stored: str | None,
        words: str | None,
    ) -> None:
        member = confirmed(notified)
        server.report(notified, member.api_key, url=url)
        (details,) = leaked_events(member)
        assert details["url"] == stored
        (mail,) = [mail for mail in receive_mail(app) if mail.subject == SUBJECT]
        assert (words is not None and words in mail.text) == (words is not None)
        for text in (mail.text, mail.html):
            assert "evil.test" not in text or "https://github.com@" not in text
            assert "javascript" not in text
        assert "<a href" not in mail.html.partition("</h1>")[2].partition("app.test")[0]

    def test_what_is_long_is_cut_and_what_is_a_key_is_taken_out(
        self, server: Github, notified: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        """S27: the key itself stands in no event and no log line."""
        member = notified.sign_up()
        url = f"https://github.com/a/{member.api_key}/{'x' * 5000}"
        with caplog.at_level(logging.DEBUG):
            server.report(notified, member.api_key, url=url, source=f"x{member.api_key}" * 9)
        (details,) = leaked_events(member)
        assert len(details["url"]) <= 500
        assert len(details["source"]) <= 50
        assert member.api_key not in str(details) + caplog.text


class TestOff:
    def test_without_the_url_there_is_no_such_route(self, server: Github, client: Client) -> None:
        body = b"[]"
        response = client.post(PATH, data=body, headers=server.sign(body))
        error(response, 404, "NOT_FOUND")
        error(client.get(PATH), 401, "AUTHENTICATION_ERROR", "missing")


def _import(app: Flask, keys: list[dict[str, str]]) -> None:
    result = app.test_cli_runner().invoke(args=["keys", "import", "-"], input=json.dumps(keys))
    assert result.exit_code == 0, result.output
