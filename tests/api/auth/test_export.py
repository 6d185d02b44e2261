"""GET /api/auth/export"""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from ragauth import transaction
from ragauth.extensions import db
from ragauth.models import Confirmation, Event, OutboxMail, RecoveryCode, SecondFactor
from ragauth.security.identifiers import ACCOUNT, decode_id, new_uuid
from ragauth.services import data_export
from tests.clients import PASSWORD, Client, Member, assert_needs_access_token, error, issues, ok
from tests.factories.accounts import suspend

PATH = "/api/auth/export"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def export(member: Member) -> dict[str, Any]:
    data: dict[str, Any] = ok(member.client.get(PATH))
    return data


def add_rows(member: Member, *rows: Any) -> None:
    with member.client.app.app_context(), transaction.unit_of_work():
        db.session.add_all(rows)


def account_uuid(member: Member) -> Any:
    return decode_id(ACCOUNT, member.id)


class TestSucceeds:
    def test_everything_of_the_account_is_in_it(self, client: Client) -> None:
        member = client.sign_up(name="Ada", username="ada1815")
        other_session = client.log_in(member)
        agent = member.create_agent(description="Answers")
        key = member.create_key(agent_id=agent["id"], allowed_ips=["10.0.0.0/8"])
        assert member.key_client.get("/api/v1/authorize?cost=3").status_code == 200
        ok(member.client.delete(f"/api/auth/api-keys/{key['id']}"), 204)
        ok(client.as_user(other_session["token"]).post("/api/auth/logout"), 204)
        data = export(member)
        assert list(data) == [
            *("exported_at", "account", "second_factor", "confirmations", "queued_mail"),
            *("agents", "api_keys", "sessions", "events", "usage"),
        ]
        me = ok(member.client.get("/api/auth/me"))
        assert data["account"] == {**me, "email_verified_at": None, "status": "active"}
        assert data["agents"] == [agent]
        dead, primary = data["api_keys"]
        assert (dead["id"], dead["allowed_ips"]) == (key["id"], ["10.0.0.0/8"])
        assert dead["revoked_at"] is not None
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
            OutboxMail(
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

    def test_a_long_history_is_complete_and_in_order(self, client: Client) -> None:
        member = client.sign_up()
        rows = [
            {
                "id": new_uuid(),
                "account_id": account_uuid(member),
                "name": "account:login_failed",
                "at": NOW,
                "ip": "192.0.2.1",
                "user_agent": "a browser " + "\N{SNOWMAN}" * 300,
                "details": {"number": number},
            }
            for number in range(1_500)
        ]
        with client.app.app_context(), db.engine.begin() as connection:
            connection.execute(insert(Event), rows)
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
    @pytest.fixture
    def busy(self) -> Iterator[None]:
        """Another thread of the process makes one."""
        with data_export._one_at_a_time:
            yield

    @pytest.mark.usefixtures("busy")
    def test_one_is_made_at_a_time(self, client: Client) -> None:
        """S29: what a request may cost is bounded."""
        response = client.sign_up().client.get(PATH)
        error(response, 429, "RATE_LIMIT_EXCEEDED")
        assert response.headers["Retry-After"] == "5"

    def test_after_a_failure_the_next_one_is_made(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = client.sign_up()
        with monkeypatch.context() as patch:
            patch.setattr(data_export, "_second_factor", lambda _: 1 / 0)
            error(member.client.get(PATH), 500, "INTERNAL_ERROR")
        export(member)

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
