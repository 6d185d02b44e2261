"""What a check says of the policy's scopes and features: on `authorize`, `verify` and the faces."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import update

from ragauth.extensions import db
from ragauth.models import ApiKey
from ragauth.policy import read_policy
from tests.cases import for_each
from tests.clients import Client, Member, error, issues, ok
from tests.factories.accounts import set_plan
from tests.factories.api_keys import make_service_key, unknown_key
from tests.factories.policies import PUBLISHABLE, USUAL, own_scopes

PATH = "/api/v1/authorize"
VERIFY = "/api/v1/keys/verify"
ORIGIN = "https://shop.example.com"


@pytest.fixture
def member(share_app: Callable[..., Flask]) -> Member:
    return Client(share_app(policy=own_scopes())).sign_up()


class Asking:
    """The same question on both routes; the answers must agree."""

    def __init__(self, app: Flask, headers: dict[str, str] | None = None) -> None:
        self.app = app
        self.client = Client(app, headers)
        self.service = Client(app).as_key(make_service_key(app, "verify"))

    def reason(self, key: str, scope: str, **further: str) -> str | None:
        """None for a key that may, else the reason of the refusal."""
        query = "&".join(f"{name}={quote(value)}" for name, value in further.items())
        response = self.client.as_key(key).get(f"{PATH}?scope={quote(scope)}&{query}")
        body = {"key": key, "scope": scope, "origin": self.client.headers.get("Origin"), **further}
        verdict = ok(self.service.post(VERIFY, body))
        assert (response.status_code == 200) == verdict["valid"]
        if verdict["valid"]:
            return None
        assert response.get_json()["error"]["details"] == verdict["details"]
        reason: str = verdict["reason"]
        return reason

    def faults(self, key: str, scope: Any) -> set[tuple[str | int, ...]]:
        """What is wrong with the question itself."""
        told = issues(self.client.as_key(key).get(f"{PATH}?scope={quote(str(scope))}"))
        assert issues(self.service.post(VERIFY, {"key": key, "scope": scope})) == told
        return set(told)

    def scopes(self, key: str) -> list[str]:
        """What both tell that the key may be used for."""
        response = self.client.as_key(key).get(PATH)
        assert response.status_code == 200, response.text
        body = {"key": key, "origin": self.client.headers.get("Origin")}
        told: list[str] = ok(self.service.post(VERIFY, body))["scopes"]
        assert response.headers["X-Ragauth-Scopes"].split() == told
        return told


def manage(app: Flask, **values: Any) -> None:
    """Give all keys these values, as only operators can."""
    table = ApiKey.__table__
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(update(table).where(table.c.kind != "service").values(**values))


class TestSeveral:
    def test_all_that_are_named_are_needed(self, member: Member) -> None:
        asking = Asking(member.client.app)
        key = member.create_key(scopes=["read", "docs.write:all"])["api_key"]
        for scope in ("read", "docs.write:all", "read docs.write:all", "read read"):
            assert asking.reason(key, scope) is None
        for scope in ("suggest", "read suggest", "suggest read", "suggest docs.write:all"):
            assert asking.reason(key, scope) == "insufficient_scope"

    def test_the_first_that_is_missing_is_named(self, member: Member) -> None:
        key = member.create_key(scopes=["read"])["api_key"]
        response = Client(member.client.app).as_key(key).get(f"{PATH}?scope=read+suggest+billing")
        details = error(response, 403, "AUTHORIZATION_ERROR", "insufficient_scope")
        assert details["required_scope"] == "suggest"
        assert response.headers["WWW-Authenticate"].endswith('scope="suggest"')

    @for_each(
        "scope",
        [
            "",
            " ",
            "query",
            "Read",
            "read query",
            "read  suggest",
            " read",
            "read\t",
            "free:one",
            "x",
        ],
    )
    def test_what_is_not_declared_is_a_fault_of_the_question(
        self, member: Member, scope: str
    ) -> None:
        asking = Asking(member.client.app)
        assert asking.faults(member.api_key, scope) == {("scope",)}

    def test_all_that_fit_may_be_named_and_no_more(self, member: Member) -> None:
        asking = Asking(member.client.app)
        usual = " ".join(USUAL)
        assert asking.reason(member.api_key, usual) is None
        longest = " ".join([usual] * (1000 // len(usual)))[:990].rpartition(" ")[0]
        assert asking.reason(member.api_key, longest) is None
        assert asking.faults(member.api_key, " ".join([usual] * 50)) == {("scope",)}

    def test_an_escaped_one_is_the_same(self, member: Member) -> None:
        escaped = "".join(f"%{ord(character):02X}" for character in " ".join(USUAL))
        assert member.key_client.get(f"{PATH}?scope={escaped}").status_code == 200

    def test_a_refused_key_comes_before_a_fault_of_the_question(self, member: Member) -> None:
        client = Client(member.client.app).as_key(unknown_key())
        for query in ("?scope=query", "?scope=read+query", "?scope="):
            error(client.get(PATH + query), 401, "AUTHENTICATION_ERROR", "invalid")


class TestWhatCounts:
    """S21: what the policy does not declare, or not for such a key, opens nothing."""

    def test_without_a_list_a_key_has_the_usual_ones(self, member: Member) -> None:
        asking = Asking(member.client.app)
        assert asking.scopes(member.api_key) == USUAL
        assert asking.reason(member.api_key, "train") == "insufficient_scope"

    def test_what_an_operator_gave_counts(self, member: Member) -> None:
        manage(member.client.app, scopes=["train"], is_managed=True)
        asking = Asking(member.client.app)
        assert asking.scopes(member.api_key) == ["train"]
        assert asking.reason(member.api_key, "train") is None
        assert asking.reason(member.api_key, "train read") == "insufficient_scope"

    @pytest.mark.both_databases
    def test_an_empty_list_has_none(self, member: Member) -> None:
        manage(member.client.app, scopes=[])
        asking = Asking(member.client.app)
        assert asking.scopes(member.api_key) == []
        assert asking.reason(member.api_key, "read") == "insufficient_scope"

    @for_each("is_managed", [False, True])
    def test_what_is_no_longer_declared_counts_for_nothing(
        self, member: Member, is_managed: bool
    ) -> None:
        manage(member.client.app, scopes=["query", "read"], is_managed=is_managed)
        asking = Asking(member.client.app)
        assert asking.scopes(member.api_key) == ["read"]
        holder = ok(member.key_client.get("/api/v1/me"))
        assert holder["key"]["scopes"] == ["query", "read"]

    def test_a_key_of_an_agent_needs_the_agent_for_what_is_account_wide(
        self, member: Member
    ) -> None:
        agent = member.create_agent()["id"]
        key = member.create_key(agent_id=agent)["api_key"]
        asking = Asking(member.client.app)
        assert asking.reason(key, "read") is None
        for scope in ("billing", "read billing"):
            assert asking.reason(key, scope) == "wrong_agent"
            assert asking.reason(key, scope, agent_id=agent) is None

    def test_a_publishable_key_has_only_what_is_publishable_now(self, member: Member) -> None:
        agent = member.create_agent()["id"]
        key = member.create_key(kind="publishable", agent_id=agent, allowed_origins=[ORIGIN])
        asking = Asking(member.client.app, {"Origin": ORIGIN})
        assert asking.scopes(key["api_key"]) == PUBLISHABLE
        assert asking.reason(key["api_key"], "read suggest") is None
        # As a file before declared it.
        manage(member.client.app, scopes=["read", "docs.write:all", "query"], is_managed=True)
        assert asking.scopes(key["api_key"]) == ["read"]


class TestOpenScopes:
    @pytest.fixture
    def member(self, share_app: Callable[..., Flask]) -> Member:
        return Client(share_app(policy=own_scopes(open_scopes=True))).sign_up()

    def test_a_question_may_name_any_of_that_form(self, member: Member) -> None:
        asking = Asking(member.client.app)
        for scope in ("free:one", "read free:one", "a" * 50):
            assert asking.reason(member.api_key, scope) == "insufficient_scope"
        for scope in ("Free", "1free", "a" * 51, "free/one", "read  free", ""):
            assert asking.faults(member.api_key, scope) == {("scope",)}

    @pytest.mark.both_databases
    def test_a_managed_key_may_have_any(self, member: Member) -> None:
        manage(member.client.app, scopes=["free:one", "read"], is_managed=True)
        asking = Asking(member.client.app)
        assert asking.scopes(member.api_key) == ["free:one", "read"]
        assert asking.reason(member.api_key, "read free:one") is None
        assert asking.reason(member.api_key, "free:two") == "insufficient_scope"

    def test_of_any_other_key_only_what_is_declared_counts(self, member: Member) -> None:
        manage(member.client.app, scopes=["free:one", "read"], is_managed=False)
        asking = Asking(member.client.app)
        assert asking.scopes(member.api_key) == ["read"]
        assert asking.reason(member.api_key, "free:one") == "insufficient_scope"


class TestServices:
    def test_their_scopes_are_the_contracts_whatever_the_file_says(
        self, make_app: Callable[..., Flask]
    ) -> None:
        policy = read_policy(
            b'[scopes.verify]\ndescription = "V"\n[scopes.usage]\ndescription = "U"'
        )
        app = make_app(policy=policy)
        member = Client(app).sign_up()
        # An account's key with a scope of that name is no service's.
        key = Client(app).as_key(member.create_key(scopes=["verify", "usage"])["api_key"])
        error(key.post(VERIFY, {"key": "x"}), 401, "AUTHENTICATION_ERROR", "wrong_credential_type")
        error(
            key.get("/api/v1/internal/usage"), 401, "AUTHENTICATION_ERROR", "wrong_credential_type"
        )
        service = Client(app).as_key(make_service_key(app, "accounts"))
        ok(service.get("/api/v1/internal/accounts"))
        error(service.post(VERIFY, {"key": "x"}), 403, "AUTHORIZATION_ERROR", "insufficient_scope")

    def test_two_applications_in_one_process_have_their_own(
        self, member: Member, client: Client
    ) -> None:
        ours, theirs = Asking(member.client.app), Asking(client.app)
        other = client.sign_up()
        for _ in range(2):
            assert ours.reason(member.api_key, "read") is None
            assert theirs.faults(other.api_key, "read") == {("scope",)}
            assert theirs.reason(other.api_key, "query") is None
            assert ours.faults(member.api_key, "query") == {("scope",)}


class TestFeatures:
    def test_they_are_told_with_each_check(self, member: Member) -> None:
        app = member.client.app
        service = Client(app).as_key(make_service_key(app, "verify"))
        for plan, features in ("trial", []), ("team", ["rerank", "gpt-4o"]):
            set_plan(member, plan)
            checked = member.key_client.get(PATH)
            assert checked.headers.getlist("X-Ragauth-Features") == [" ".join(features)]
            assert ok(service.post(VERIFY, {"key": member.api_key}))["features"] == features
        refused = ok(service.post(VERIFY, {"key": member.api_key, "scope": "train"}))
        assert (refused["valid"], refused["features"]) == (False, ["rerank", "gpt-4o"])
        assert ok(service.post(VERIFY, {"key": unknown_key()}))["features"] is None


class TestFaces:
    def test_a_face_asks_for_its_scope_and_makes_keys_with_the_usual_ones(
        self, make_app: Callable[..., Flask]
    ) -> None:
        for policy, status in (None, 503), (own_scopes(), 403):
            given = {} if policy is None else {"policy": policy}
            member = Client(make_app(compat=("ragchats", "rst"), **given)).sign_up()
            usual = ["query", "ingest", "manage"] if policy is None else USUAL
            agent = member.client.post("/compat/ragchats/api/agents", {"name": "x"}).get_json()
            path = f"/compat/ragchats/api/agents/{agent['id']}"
            rst = member.client.post("/compat/rst/v1/auth/api-keys", {"name": "x"}).get_json()
            made = member.client.post(f"{path}/api-keys", {"name": "x"}).get_json()
            asking = Asking(member.client.app)
            for key in (rst["raw_key"], made["key"]):
                assert asking.scopes(key) == usual
            key_client = Client(member.client.app).as_key(made["key"])
            # Nobody answers questions here: 503 for who may ask one.
            asked = key_client.post(f"{path}/query", {"message": "Why?"})
            assert asked.status_code == status, asked.text
