"""POST /api/auth/api-keys"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from tests.cases import for_each
from tests.clients import (
    Client,
    Member,
    assert_needs_access_token,
    assert_same_answer,
    error,
    issues,
    ok,
)

PATH = "/api/auth/api-keys"
FIELDS = {
    *("id", "name", "prefix", "kind", "environment", "agent_id", "scopes", "is_active"),
    *("is_primary", "allowed_ips", "allowed_origins", "created_at", "expires_at"),
    *("last_used_at", "replaced_by", "managed", "limits", "metadata"),
}
ORIGINS = ["https://shop.example.com"]


@pytest.fixture
def member(client: Client) -> Member:
    return client.sign_up()


@pytest.mark.both_ways
class TestSucceeds:
    @pytest.mark.every_database
    def test_a_name_is_enough(self, client: Client, way: str) -> None:
        data = client.sign_up().create_key(name="CI")
        assert set(data) == {*FIELDS, "api_key"}
        assert re.fullmatch(r"rag_live_[0-9A-Za-z]{36}", data["api_key"])
        assert data["prefix"] == data["api_key"][:13]
        assert re.fullmatch(r"key_[0-7][0-9a-hjkmnp-tv-z]{25}", data["id"])
        given = {name: data[name] for name in FIELDS - {"id", "prefix", "created_at"}}
        assert given == {
            **dict.fromkeys(given),
            "name": "CI",
            "kind": "secret",
            "environment": "live",
            "is_active": True,
            "is_primary": False,
            "managed": way == "operator",
        }

    def test_everything_can_be_said(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        fields = {
            "kind": "secret",
            "environment": "test",
            "scopes": ["query", "ingest"],
            "expires_at": "2999-01-01T01:00:00+01:00",
            "agent_id": agent["id"],
            "allowed_ips": ["203.0.113.7", "10.0.0.0/8", "2001:DB8::/32"],
        }
        data = member.create_key(**fields)
        assert data["api_key"].startswith("rag_test_")
        told = {name: data[name] for name in fields}
        assert told == {
            **fields,
            "expires_at": "2999-01-01T00:00:00Z",
            "allowed_ips": ["203.0.113.7/32", "10.0.0.0/8", "2001:db8::/32"],
        }
        data.pop("api_key")
        assert ok(member.client.get(f"{PATH}/{data['id']}")) == data

    def test_a_publishable_key_has_an_agent_origins_and_one_scope(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        data = member.create_key(
            kind="publishable", agent_id=agent["id"], allowed_origins=["https://Shop.example.com"]
        )
        assert data["api_key"].startswith("rag_pub_")
        assert data["prefix"] == data["api_key"][:12]
        assert data["scopes"] == ["query"]
        assert data["allowed_origins"] == ORIGINS

    def test_origins_are_stored_as_browsers_send_them(self, client: Client) -> None:
        """S21: what the owner wrote otherwise would never match."""
        member = client.sign_up()
        written = ["HTTPS://M\u00fcnchen.example:443/", "http://[0:0:0:0:0:0:0:1]:80", "tauri://X"]
        sent = ["https://xn--mnchen-3ya.example", "http://[::1]", "tauri://x"]
        key = member.create_key(
            kind="publishable",
            agent_id=member.create_agent()["id"],
            allowed_origins=[*written, *sent],
        )
        assert key["allowed_origins"] == sent
        caller = client.as_key(key["api_key"])
        for origin in sent:
            response = caller.get("/api/v1/authorize", headers={"Origin": origin})
            assert response.status_code == 200

    def test_what_never_matches_is_refused_with_the_reason(self, client: Client) -> None:
        member = client.sign_up()
        body = {
            "name": "x",
            "kind": "publishable",
            "agent_id": member.create_agent()["id"],
            "allowed_origins": ["https://a.test", "https://*.example.com", "null"],
        }
        found = issues(member.client.post(PATH, body))
        assert set(found) == {("allowed_origins", 1), ("allowed_origins", 2)}
        assert "wildcard" in found["allowed_origins", 1]

    def test_names_need_not_be_unique(self, client: Client) -> None:
        member = client.sign_up()
        assert member.create_key(name="x")["id"] != member.create_key(name="x")["id"]

    def test_null_stands_for_nothing_said(self, client: Client) -> None:
        names = ("scopes", "expires_at", "agent_id", "allowed_ips", "allowed_origins")
        data = client.sign_up().create_key(**dict.fromkeys(names))
        assert all(data[name] is None for name in names)

    def test_a_repeated_entry_counts_once(self, client: Client) -> None:
        data = client.sign_up().create_key(
            scopes=["query", "query"], allowed_ips=["::1", "::1/128"]
        )
        assert data["scopes"] == ["query"]
        assert data["allowed_ips"] == ["::1/128"]

    def test_the_raw_key_is_shown_once(self, client: Client) -> None:
        """S19: shown once."""
        member = client.sign_up()
        data = member.create_key()
        for path in (PATH, f"{PATH}/{data['id']}", "/api/auth/events"):
            assert data["api_key"] not in member.client.get(path).text


@pytest.mark.both_ways
class TestRejectsInput:
    @for_each(
        ("field", "value", "path"),
        [
            ("name", "", ("name",)),
            ("name", "x" * 101, ("name",)),
            ("kind", "service", ("kind",)),
            ("kind", None, ("kind",)),
            ("environment", "prod", ("environment",)),
            ("scopes", [], ("scopes",)),
            ("scopes", "query", ("scopes",)),
            ("scopes", ["query", "admin"], ("scopes", 1)),
            ("scopes", ["verify"], ("scopes", 0)),
            ("scopes", [None], ("scopes", 0)),
            ("scopes", [["query"]], ("scopes", 0)),
            ("expires_at", "tomorrow", ("expires_at",)),
            ("expires_at", "2999-01-01", ("expires_at",)),
            ("expires_at", "2999-01-01T00:00:00", ("expires_at",)),
            ("expires_at", "2999-02-30T00:00:00Z", ("expires_at",)),
            ("expires_at", "9999-12-31T23:59:59-01:00", ("expires_at",)),
            ("expires_at", "0001-01-01T00:00:00+01:00", ("expires_at",)),
            ("expires_at", 32503680000, ("expires_at",)),
            ("agent_id", "01h455vb4pex5vsknk084sn02q", ("agent_id",)),
            ("agent_id", "key_01h455vb4pex5vsknk084sn02q", ("agent_id",)),
            ("agent_id", "agt_81h455vb4pex5vsknk084sn02q", ("agent_id",)),
            ("allowed_ips", [], ("allowed_ips",)),
            ("allowed_ips", ["10.0.0.1/8"], ("allowed_ips", 0)),
            ("allowed_ips", ["10.0.0.0/33"], ("allowed_ips", 0)),
            ("allowed_ips", ["::1", "fe80::1%eth0"], ("allowed_ips", 1)),
            ("allowed_ips", ["example.com"], ("allowed_ips", 0)),
            ("allowed_ips", [f"10.0.0.{n}" for n in range(51)], ("allowed_ips",)),
            ("allowed_ips", [167772161], ("allowed_ips", 0)),
            ("allowed_origins", [], ("allowed_origins",)),
            ("allowed_origins", ["*"], ("allowed_origins", 0)),
            ("allowed_origins", ["https://*.example.com/"], ("allowed_origins", 0)),
            ("allowed_origins", ["null"], ("allowed_origins", 0)),
            ("allowed_origins", ["https://a.example.com:99999"], ("allowed_origins", 0)),
            ("allowed_origins", ["https://[::1"], ("allowed_origins", 0)),
            ("allowed_origins", ["javascript:alert(1)"], ("allowed_origins", 0)),
            ("is_primary", True, ("is_primary",)),
            ("api_key", "rag_live_x", ("api_key",)),
        ],
    )
    def test_a_fault_is_named_where_it_is(
        self, member: Member, field: str, value: object, path: tuple[str | int, ...]
    ) -> None:
        assert set(issues(member.client.post(PATH, {"name": "x", field: value}))) == {path}
        assert len(ok(member.client.get(PATH))) == 1

    def test_the_end_lies_in_the_future(self, client: Client) -> None:
        past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        response = client.sign_up().client.post(PATH, {"name": "x", "expires_at": past})
        assert set(issues(response)) == {("expires_at",)}

    def test_all_faults_are_named_at_once(self, client: Client) -> None:
        body = {"scopes": ["a", "query", "b"], "allowed_ips": ["x"], "kind": 1, "owner": "me"}
        assert set(issues(client.sign_up().client.post(PATH, body))) == {
            *(("name",), ("scopes", 0), ("scopes", 2), ("allowed_ips", 0), ("kind",), ("owner",))
        }

    def test_what_a_publishable_key_may_not_be_is_named_at_once(self, client: Client) -> None:
        body = {
            "name": "Widget",
            "kind": "publishable",
            "environment": "test",
            "scopes": ["query", "manage"],
            "expires_at": "2020-01-01T00:00:00Z",
        }
        assert set(issues(client.sign_up().client.post(PATH, body))) == {
            *(("agent_id",), ("allowed_origins",), ("environment",), ("scopes",), ("expires_at",))
        }

    def test_only_a_publishable_key_has_origins(self, client: Client) -> None:
        response = client.sign_up().client.post(PATH, {"name": "x", "allowed_origins": ORIGINS})
        assert set(issues(response)) == {("allowed_origins",)}


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "POST", PATH, {"name": "x"})


@pytest.mark.both_ways
class TestEnforcesOwnership:
    def test_anothers_agent_and_no_agent_are_one_answer(self, client: Client) -> None:
        """S25: another account's thing and no thing are one answer."""
        member, other = client.sign_up(), client.sign_up()
        body = {"name": "x", "agent_id": "agt_01h455vb4pex5vsknk084sn02q"}
        nothing = member.client.post(PATH, body)
        error(nothing, 404, "NOT_FOUND")
        body["agent_id"] = other.create_agent()["id"]
        assert_same_answer(member.client.post(PATH, body), nothing)
        assert len(ok(member.client.get(PATH))) == 1


def test_the_brand_begins_every_key_and_only_its_own_are_known(
    make_app: Callable[..., Flask],
) -> None:
    acme = Client(make_app(key_brand="acme"))
    member = acme.sign_up()
    test_key = member.create_key(environment="test")["api_key"]
    assert member.api_key.startswith("acme_live_")
    assert test_key.startswith("acme_test_")
    assert acme.as_key(test_key).get("/api/v1/authorize").status_code == 200
    # Without keys of another system: where there are any, their prefixes are looked up.
    other_brand = Client(make_app()).as_key(member.api_key).get("/api/v1/authorize")
    error(other_brand, 401, "AUTHENTICATION_ERROR", "malformed")
