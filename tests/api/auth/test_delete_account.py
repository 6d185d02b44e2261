"""POST /api/auth/me/delete"""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from ragauth import clock, transaction
from ragauth.counters import CountersUnavailable
from ragauth.errors import Conflict
from ragauth.extensions import db
from ragauth.models import Account, Confirmation, OutboxRow, RecoveryCode, SecondFactor
from ragauth.models import events as event_rows
from ragauth.security.identifiers import ACCOUNT, decode_id, new_uuid
from ragauth.services import audit
from ragauth.services.accounts import erasure
from ragauth.services.audit import EventName
from ragauth.services.limits.spans import span_of
from tests.clients import PASSWORD, Client, Member, assert_needs_access_token, error, issues, ok
from tests.factories.api_keys import make_service_key
from tests.runtime import runtime_of

PATH = "/api/auth/me/delete"


class TestSucceeds:
    @pytest.mark.both_databases
    def test_every_token_and_key_is_dead_at_once(self, client: Client) -> None:
        """S14 and S20: deletion takes effect on the next request."""
        member = client.sign_up()
        other_session = client.log_in(member)
        agent = member.create_agent()
        agent_key = member.create_key(agent_id=agent["id"])["api_key"]
        ok(member.client.post(PATH, {"password": PASSWORD}), 204)
        for token in (member.token, other_session["token"]):
            response = client.as_user(token).get("/api/auth/me")
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        for refresh_token in (member.refresh_token, other_session["refresh_token"]):
            response = client.post("/api/auth/token/refresh", {"refresh_token": refresh_token})
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        for key in (member.api_key, agent_key):
            response = client.as_key(key).get("/api/v1/authorize")
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")

    def test_nobody_can_log_in_to_it_and_the_answer_is_that_of_no_account(
        self, client: Client
    ) -> None:
        member = client.sign_up()
        ok(member.client.post(PATH, {"password": PASSWORD}), 204)
        response = client.post("/api/auth/login", {"email": member.email, "password": PASSWORD})
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")

    @pytest.mark.both_databases
    def test_address_and_username_are_free_again(self, client: Client) -> None:
        member = client.sign_up(username="ada1815")
        ok(member.client.post(PATH, {"password": PASSWORD}), 204)
        assert client.sign_up(email=member.email, username="ada1815").id != member.id

    def test_other_accounts_are_untouched(self, client: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        ok(member.client.post(PATH, {"password": PASSWORD}), 204)
        ok(other.client.get("/api/auth/me"))
        assert other.key_client.get("/api/v1/authorize").status_code == 200


class TestForgets:
    @pytest.mark.every_database
    def test_nothing_personal_is_left_in_any_table(self, client: Client) -> None:
        """What stays are ids, moments and the names of events: pseudonyms."""
        traces = [
            *("lovelace@example.com", "Ada Lovelace", "ada1815", "Ada's bot", "answers for Ada"),
            *("Ada's key", "198.51.100.77", "203.0.113.0", "ada.example.org", "Difference Engine"),
            *("new-lovelace@example.com", "sealed-for-ada", "Analytical Engine"),
            *("note-on-adas-key", "ada-in-the-crm", "note-on-ada"),
        ]
        ada = Client(client.app, {"User-Agent": "Difference Engine 2"})
        everywhere = {"environ_base": {"REMOTE_ADDR": "198.51.100.77"}}
        signup = {"email": "Lovelace@example.com", "password": PASSWORD}
        names = {"name": "Ada Lovelace", "username": "ada1815"}
        data = ok(ada.post("/api/auth/signup", {**signup, **names}, **everywhere), 201)
        user = ada.as_user(data["token"])
        ok(ada.post("/api/auth/login", signup, **everywhere))
        wrong = {**signup, "password": "wrong password"}
        error(
            ada.post("/api/auth/login", wrong, **everywhere), 401, "AUTHENTICATION_ERROR", "invalid"
        )
        bot = {"name": "Ada's bot", "description": "answers for Ada"}
        agent = ok(user.post("/api/agents", bot, **everywhere), 201)
        key = {
            "name": "Ada's key",
            "kind": "publishable",
            "scopes": ["query"],
            "agent_id": agent["id"],
            "allowed_ips": ["203.0.113.0/24"],
            "allowed_origins": ["https://ada.example.org"],
            "metadata": {"note-on-adas-key": ["note-on-adas-key"]},
        }
        ok(user.post("/api/auth/api-keys", key, **everywhere), 201)
        ok(user.patch("/api/auth/me", {"name": "Ada Lovelace"}, **everywhere))
        service = client.as_key(make_service_key(client.app, "accounts"))
        kept = {"external_id": "ada-in-the-crm", "metadata": {"note-on-ada": 1}}
        ok(service.patch(f"/api/v1/internal/accounts/{data['account']['id']}", kept))
        _add_what_other_features_store(client, data["account"]["id"])
        before = _dump(client)
        assert [trace for trace in traces if trace.lower() not in before] == []
        leave = {"password": PASSWORD}
        ok(user.post(PATH, leave, **everywhere), 204)
        after = _dump(client)
        assert [trace for trace in traces if trace.lower() in after] == []
        assert "account:login_failed" in after
        assert "account:deleted" in after

    def test_events_keep_what_happened_when(self, client: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        names = ["account:deleted", "session:all_ended", *member.event_names()]
        ok(member.client.post(PATH, {"password": PASSWORD}), 204)
        with client.app.app_context(), transaction.read_only():
            rows = event_rows.list_events(
                decode_id(ACCOUNT, member.id), limit=100, cursor=None
            ).items
        assert [row.name for row in rows] == names
        assert {(row.ip, row.user_agent, str(row.details)) for row in rows} == {(None, None, "{}")}
        [created] = [
            event
            for event in ok(other.client.get("/api/auth/events"))
            if event["name"] == "account:created"
        ]
        assert created["ip"] == "127.0.0.1"


class TestCounters:
    """What is counted of an account beside the database."""

    def peek(self, client: Client, member: Member) -> object:
        limits = runtime_of(client.app).limits
        now_ms = clock.now_ns() // 1_000_000
        account_id = decode_id(ACCOUNT, member.id).bytes
        return limits.counters.peek(account_id, 0, span_of(now_ms).month, now_ms)

    @pytest.mark.every_database
    def test_its_limits_go_and_its_usage_is_still_saved(self, client: Client) -> None:
        member = client.sign_up()
        assert member.key_client.get("/api/v1/authorize?cost=7").status_code == 200
        assert self.peek(client, member) is not None
        ok(member.client.post(PATH, {"password": PASSWORD}), 204)
        assert self.peek(client, member) is None
        left = _dump(client)
        service = client.as_key(make_service_key(client.app, "usage"))
        # This saves first what was counted: late, for the account has gone.
        [row] = ok(service.get("/api/v1/internal/usage"))
        assert (row["account_id"], row["requests"], row["units"]) == (member.id, 1, 7)
        assert member.email not in left
        assert member.email not in _dump(client)
        error(member.key_client.get("/api/v1/authorize"), 401, "AUTHENTICATION_ERROR", "revoked")
        # Neither the late save nor the dead key makes a record of it again.
        assert self.peek(client, member) is None

    def test_what_was_not_deleted_keeps_its_limits(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = client.sign_up()
        member.key_client.get("/api/v1/authorize")
        ok(client.sign_up().client.post(PATH, {"password": PASSWORD}), 204)
        erase = erasure.erase_account

        def erase_and_fail(account: Account, client: audit.Client) -> None:
            erase(account, client)
            raise Conflict

        monkeypatch.setattr(erasure, "erase_account", erase_and_fail)
        error(member.client.post(PATH, {"password": PASSWORD}), 409, "CONFLICT")
        assert self.peek(client, member) is not None

    def test_without_counters_it_is_deleted_all_the_same(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S14: what only counts holds no deletion up."""
        member = client.sign_up()

        def be_away(_account: bytes) -> None:
            raise CountersUnavailable("full")

        counters = runtime_of(client.app).limits.counters
        monkeypatch.setattr(counters, "forget_account", be_away)
        ok(member.client.post(PATH, {"password": PASSWORD}), 204)
        error(member.client.get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "revoked")


def _add_what_other_features_store(client: Client, account_id: str) -> None:
    owner, now = decode_id(ACCOUNT, account_id), datetime.now(UTC)
    moments = {"created_at": now, "expires_at": now + timedelta(hours=1)}
    confirmation = Confirmation(
        id=new_uuid(),
        account_id=owner,
        purpose="change_email",
        digest=b"d" * 32,
        email="new-lovelace@example.com",
        used_at=None,
        **moments,
    )
    mail = OutboxRow(
        id=new_uuid(),
        account_id=owner,
        template="change_email",
        sealed=b"sealed-for-ada",
        attempts=0,
        next_attempt_at=now,
        **moments,
    )
    factor = SecondFactor(
        account_id=owner, sealed_secret=b"sealed-for-ada", created_at=now, confirmed_at=now
    )
    code = RecoveryCode(id=new_uuid(), account_id=owner, digest=b"sealed-for-ada", used_at=None)
    browser = audit.Client(ip="198.51.100.77", user_agent="Analytical Engine")
    with client.app.app_context(), transaction.unit_of_work():
        db.session.add_all([confirmation, mail, factor, code])
        audit.record(
            EventName.ACCOUNT_CHANGED,
            account_id=owner,
            client=browser,
            new_email="new-lovelace@example.com",
        )


def _dump(client: Client) -> str:
    """Every value of every table as text, in small letters."""
    values = []
    with client.app.app_context(), db.engine.connect() as connection:
        for table in db.metadata.sorted_tables:
            for row in connection.execute(select(table)):
                values += [
                    value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    for value in row
                ]
    return "\n".join(values).lower()


class TestRejectsInput:
    def test_a_wrong_password_deletes_nothing(self, client: Client) -> None:
        member = client.sign_up()
        response = member.client.post(PATH, {"password": "wrong password"})
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        ok(member.client.get("/api/auth/me"))

    def test_the_password_is_required(self, client: Client) -> None:
        member = client.sign_up()
        assert issues(member.client.post(PATH)) == {("password",): "Required"}
        assert set(issues(member.client.post(PATH, {"password": PASSWORD, "force": True}))) == {
            ("force",)
        }
        ok(member.client.get("/api/auth/me"))


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "POST", PATH, {"password": PASSWORD})
