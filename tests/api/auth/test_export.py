"""GET /api/auth/export"""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import insert

from ragauth import clock, transaction
from ragauth.extensions import db
from ragauth.models import Confirmation, Event, OutboxRow, RecoveryCode, SecondFactor
from ragauth.security.addresses import neighbourhood_of
from ragauth.security.identifiers import ACCOUNT, decode_id, new_uuid
from ragauth.services.accounts import second_factors
from ragauth.services.limits.export_turns import Turns, export_turns
from tests.cases import for_each
from tests.clients import PASSWORD, Client, Member, assert_needs_access_token, error, issues, ok
from tests.factories.accounts import suspend
from tests.factories.api_keys import make_service_key

PATH = "/api/auth/export"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def export(member: Member) -> dict[str, Any]:
    data: dict[str, Any] = ok(member.client.get(PATH))
    return data


def add_rows(member: Member, *rows: Any) -> None:
    with member.client.app.app_context(), transaction.unit_of_work():
        db.session.add_all(rows)


def add_events(member: Member, number: int) -> None:
    """A history of more than a KB for each event."""
    rows = [
        {
            "id": new_uuid(),
            "account_id": account_uuid(member),
            "name": "account:login_failed",
            "at": NOW,
            "ip": "192.0.2.1",
            "user_agent": "a browser " + "\N{SNOWMAN}" * 300,
            "details": {"number": position},
        }
        for position in range(number)
    ]
    with member.client.app.app_context(), db.engine.begin() as connection:
        connection.execute(insert(Event), rows)


def account_uuid(member: Member) -> Any:
    return decode_id(ACCOUNT, member.id)


def other_export(network: str) -> AbstractContextManager[None]:
    """The place of one of another account."""
    return export_turns.place(account_id=new_uuid(), network=network)


class TestSucceeds:
    def test_everything_of_the_account_is_in_it(self, client: Client) -> None:
        member = client.sign_up(name="Ada", username="ada1815")
        other_session = client.log_in(member)
        agent = member.create_agent(description="Answers")
        kept = {"metadata": {"team": "a"}}
        key = member.create_key(agent_id=agent["id"], allowed_ips=["10.0.0.0/8"], **kept)
        service = client.as_key(make_service_key(client.app, "accounts"))
        theirs = {"external_id": "c-17", "metadata": {"crm": [1]}, "limits": None}
        ok(service.patch(f"/api/v1/internal/accounts/{member.id}", theirs))
        assert member.key_client.get("/api/v1/authorize?cost=3").status_code == 200
        ok(member.client.delete(f"/api/auth/api-keys/{key['id']}"), 204)
        ok(client.as_user(other_session["token"]).post("/api/auth/logout"), 204)
        data = export(member)
        assert list(data) == [
            *("exported_at", "account", "second_factor", "confirmations", "queued_mail"),
            *("agents", "api_keys", "sessions", "events", "usage"),
        ]
        me = ok(member.client.get("/api/auth/me"))
        assert data["account"] == {
            **me,
            **theirs,
            "email_verified_at": None,
            "status": "active",
            "limit_mails": True,
        }
        assert data["agents"] == [agent]
        dead, primary = data["api_keys"]
        assert (dead["id"], dead["allowed_ips"]) == (key["id"], ["10.0.0.0/8"])
        assert (dead["metadata"], dead["revoked_at"] is None) == (kept["metadata"], False)
        assert (primary["name"], primary["revoked_at"]) == ("Primary", None)
        ended, present = data["sessions"]
        assert (ended["ended_at"] is None, present["ended_at"]) == (False, None)
        assert data["events"] == ok(member.client.get("/api/auth/events?limit=100"))
        [day] = data["usage"]
        assert (day["key_id"], day["requests"], day["units"]) == (primary["id"], 1, 3)

    def test_it_is_a_file_to_save(self, client: Client) -> None:
        member = client.sign_up()
        response = member.client.get(PATH)
        today = datetime.now(UTC).date().isoformat()
        assert response.headers["Content-Disposition"] == (
            f"attachment; filename=ragauth-{member.id}-{today}.json"
        )
        assert response.content_length == len(response.data)
        head = member.client.request("HEAD", PATH)
        assert (head.status_code, head.data) == (200, b"")
        assert head.headers["Content-Disposition"] == response.headers["Content-Disposition"]

    @pytest.mark.both_databases
    def test_second_factor_confirmations_and_mail_are_told_without_their_secrets(
        self, client: Client
    ) -> None:
        """S27: no secret, no digest."""
        member = client.sign_up()
        owner = account_uuid(member)
        assert export(member)["second_factor"] is None
        add_rows(
            member,
            SecondFactor(
                account_id=owner, sealed_secret=b"sealed-totp", created_at=NOW, confirmed_at=NOW
            ),
            *(
                RecoveryCode(id=new_uuid(), account_id=owner, digest=bytes([n]) * 32, used_at=used)
                for n, used in ((1, None), (2, None), (3, NOW))
            ),
            Confirmation(
                id=new_uuid(),
                account_id=owner,
                purpose="change_email",
                digest=b"d" * 32,
                email="new@example.com",
                created_at=NOW,
                expires_at=NOW + timedelta(hours=1),
                used_at=None,
            ),
            OutboxRow(
                id=new_uuid(),
                account_id=owner,
                template="change_email",
                sealed=b"sealed-mail",
                attempts=0,
                next_attempt_at=NOW,
                expires_at=NOW,
                created_at=NOW,
            ),
        )
        data = export(member)
        assert data["second_factor"] == {
            "enabled": True,
            "created_at": "2026-03-01T12:00:00Z",
            "recovery_codes_left": 2,
        }
        [confirmation] = [row for row in data["confirmations"] if row["email"] == "new@example.com"]
        assert confirmation["purpose"] == "change_email"
        assert "change_email" in {mail["template"] for mail in data["queued_mail"]}
        text = json.dumps(data)
        for secret in ("sealed", "digest", "password_hash", member.api_key, PASSWORD):
            assert secret not in text

    @pytest.mark.every_database
    def test_a_long_history_is_complete_and_in_order(self, client: Client) -> None:
        member = client.sign_up()
        add_events(member, 1_500)
        with member.client.get(PATH) as response:
            # More than is kept in memory.
            assert len(response.data) == response.content_length > 2_000_000
            events = ok(response)["events"]
        numbers = [event["details"]["number"] for event in events[:-2]]
        assert numbers == list(range(1_499, -1, -1))

    def test_nothing_of_another_account_is_in_it(self, client: Client) -> None:
        """S25"""
        member = client.sign_up()
        other = client.sign_up(name="Somebody Else")
        other.create_agent(name="Other bot")
        client.log_in(other)
        text = json.dumps(export(member))
        for foreign in (other.id, other.email, "Somebody Else", "Other bot"):
            assert foreign not in text


class TestBounds:
    HOME = neighbourhood_of("127.0.0.1")

    def test_an_account_has_one_at_a_time(self, client: Client) -> None:
        """S29: what a request may cost is bounded. S43: for each account."""
        member = client.sign_up()
        with export_turns.place(account_id=account_uuid(member), network="elsewhere"):
            response = member.client.get(PATH)
        error(response, 429, "RATE_LIMIT_EXCEEDED")
        assert response.headers["Retry-After"] == "5"
        export(member)

    @for_each("networks", [[HOME] * 2, ["a", "b", "c"]])
    def test_few_are_made_at_once(self, client: Client, networks: list[str]) -> None:
        """S43: a network leaves a place to others."""
        member = client.sign_up()
        with ExitStack() as others:
            for network in networks:
                others.enter_context(other_export(network))
            error(member.client.get(PATH), 429, "RATE_LIMIT_EXCEEDED")
        export(member)

    def test_a_short_one_is_made_beside_a_long_one(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S43: the long one ends its turn after each batch of rows."""
        member, other = client.sign_up(), client.sign_up()
        add_events(member, 1_100)
        short: list[dict[str, Any]] = []

        def end_and_take(turns: Turns) -> None:
            turns.end()
            with ThreadPoolExecutor(1) as thread:
                short.append(thread.submit(export, other).result(10))
            turns.take()

        monkeypatch.setattr(Turns, "end_and_take", end_and_take)
        with member.client.get(PATH) as response:
            assert len(ok(response)["events"]) > 1_100
        assert [data["account"]["id"] for data in short] == [other.id] * 2

    def test_while_one_works_others_wait_for_their_turn(self, client: Client) -> None:
        """S29: however many are made, the checks of keys share a core with one."""
        member = client.sign_up()
        busy = export_turns.take_part(account_id=new_uuid(), network=self.HOME)
        with ThreadPoolExecutor(1) as thread:
            with busy as turns:
                answer = thread.submit(member.client.get, PATH)
                while len(turns._line) < 2:
                    os.sched_yield()
                assert not answer.done()
            ok(answer.result(10))

    def test_an_account_has_six_an_hour(self, client: Client) -> None:
        """S43: and another's are none of them."""
        member, other = client.sign_up(), client.sign_up()
        with time_machine.travel(clock.now(), tick=False) as time:
            for _ in range(6):
                export(member)
            for method in ("GET", "HEAD"):
                response = member.client.request(method, PATH)
                assert (response.status_code, response.headers["Retry-After"]) == (429, "3600")
            details = error(member.client.get(PATH), 429, "RATE_LIMIT_EXCEEDED")
            assert (details["limit"], details["size"]) == ("exports_per_account", 6)
            export(other)
            time.shift(1800)
            error(member.client.get(PATH), 429, "RATE_LIMIT_EXCEEDED")
        with time_machine.travel(clock.now() + timedelta(hours=1), tick=False):
            ok(client.as_user(client.log_in(member)["token"]).get(PATH))

    def test_what_was_not_made_does_not_count(self, client: Client) -> None:
        """S43: an account that meets another's exports, or a fault, has its six all the same."""
        member = client.sign_up()
        with other_export("a"), other_export("b"), other_export("c"):
            for _ in range(7):
                error(member.client.get(PATH), 429, "RATE_LIMIT_EXCEEDED")
        export(member)

    def test_after_a_failure_the_next_one_is_made(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = client.sign_up()
        with monkeypatch.context() as patch:
            patch.setattr(second_factors, "find_status", lambda _: 1 / 0)
            error(member.client.get(PATH), 500, "INTERNAL_ERROR")
        export(member)

    @pytest.mark.every_database
    def test_two_at_once_are_both_answered(self, client: Client) -> None:
        member = client.sign_up()
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(member.client.get(PATH).status_code))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(statuses) <= {200, 429}
        assert 200 in statuses


class TestRejectsInput:
    def test_it_takes_no_query(self, client: Client) -> None:
        assert set(issues(client.sign_up().client.get(f"{PATH}?format=csv"))) == {("format",)}


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "GET", PATH)

    def test_a_suspended_account_gets_none(self, client: Client) -> None:
        member = client.sign_up()
        suspend(member)
        error(member.client.get(PATH), 403, "AUTHORIZATION_ERROR", "account_suspended")
