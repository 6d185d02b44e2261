"""The scopes of a key's list are those of the policy in force."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from ragauth.policy import read_policy
from tests.cases import for_each
from tests.clients import Client, Member, issues, ok
from tests.factories.policies import PUBLISHABLE, USUAL, own_scopes
from tests.runtime import replace_parts, runtime_of

KEYS = "/api/auth/api-keys"
ORIGINS = ["https://shop.example.com"]


@pytest.fixture
def member(share_app: Callable[..., Flask], client_of: Callable[[Flask], Client]) -> Member:
    return client_of(share_app(policy=own_scopes())).sign_up()


class TestTheList:
    def test_it_tells_what_an_owner_can_give(self, member: Member) -> None:
        response = member.client.get("/api/auth/scopes")
        assert [scope["name"] for scope in ok(response)] == USUAL
        assert ok(response)[1] == {"name": "docs.write:all", "description": "Write documents"}
        assert response.get_json()["meta"] == {"next_cursor": None}

    def test_without_a_file_it_tells_the_default_ones(self, client: Client) -> None:
        told = ok(client.sign_up().client.get("/api/auth/scopes"))
        assert [scope["name"] for scope in told] == ["query", "ingest", "manage"]


class TestGives:
    @pytest.mark.both_ways
    @for_each("scopes", [[name] for name in USUAL] + [USUAL])
    def test_any_usual_one(self, member: Member, scopes: list[str]) -> None:
        key = member.create_key(scopes=scopes)
        assert key["scopes"] == scopes
        changed = ok(member.client.patch(f"{KEYS}/{key['id']}", {"scopes": ["read"]}))
        assert changed["scopes"] == ["read"]

    def test_no_other_and_none_of_operators(self, member: Member) -> None:
        key = member.create_key()
        agent = member.create_agent()["id"]
        for scope in ("train", "query", "Read", "read ", "", "read suggest"):
            body = {"name": "x", "scopes": ["read", scope]}
            for path in (KEYS, f"/api/agents/{agent}/api-keys"):
                assert set(issues(member.client.post(path, body))) == {("scopes", 1)}, scope
            response = member.client.patch(f"{KEYS}/{key['id']}", {"scopes": [scope]})
            found = issues(response)
            assert found == {("scopes", 0): f"Must be one of: {', '.join(USUAL)}"}, scope

    def test_no_free_one_to_an_owners_key_though_scopes_are_open(
        self, make_app: Callable[..., Flask], client_of: Callable[[Flask], Client]
    ) -> None:
        member = client_of(make_app(policy=own_scopes(open_scopes=True))).sign_up()
        response = member.client.post(KEYS, {"name": "x", "scopes": ["free:one"]})
        assert set(issues(response)) == {("scopes", 0)}

    @pytest.mark.both_ways
    def test_of_very_many_only_some_are_named(
        self, make_app: Callable[..., Flask], client_of: Callable[[Flask], Client]
    ) -> None:
        """A refusal must fit into a header."""
        text = "".join(f'[scopes.s{number}]\ndescription = "S"\n' for number in range(100))
        member = client_of(make_app(policy=read_policy(text.encode()))).sign_up()
        key = member.create_key(scopes=[f"s{number}" for number in range(100)])
        assert len(key["scopes"]) == 100
        (message,) = issues(member.client.post(KEYS, {"name": "x", "scopes": ["x"]})).values()
        assert message.endswith(", s19 and 80 more")


@pytest.mark.both_ways
class TestPublishable:
    def widget(self, member: Member, **fields: object) -> dict[str, object]:
        agent = member.create_agent()["id"]
        return member.create_key(
            kind="publishable", agent_id=agent, allowed_origins=ORIGINS, **fields
        )

    def test_without_a_list_it_has_all_that_are_publishable(self, member: Member) -> None:
        assert self.widget(member)["scopes"] == PUBLISHABLE

    def test_it_may_have_some_of_them(self, member: Member) -> None:
        key = self.widget(member, scopes=["suggest"])
        assert key["scopes"] == ["suggest"]
        changed = ok(member.client.patch(f"{KEYS}/{key['id']}", {"scopes": None}))
        assert changed["scopes"] == PUBLISHABLE

    def test_it_may_have_no_other(self, member: Member) -> None:
        fault = {("scopes",): "A publishable key may have only: read, suggest"}
        body = {"name": "x", "kind": "publishable", "allowed_origins": ORIGINS}
        body |= {"agent_id": member.create_agent()["id"], "scopes": ["read", "billing"]}
        assert issues(member.client.post(KEYS, body)) == fault
        path = f"{KEYS}/{self.widget(member)['id']}"
        assert issues(member.client.patch(path, {"scopes": ["billing"]})) == fault

    def test_where_none_is_publishable_there_is_no_such_key(
        self, make_app: Callable[..., Flask], client_of: Callable[[Flask], Client]
    ) -> None:
        policy = read_policy(b'[scopes.read]\ndescription = "R"\n')
        member = client_of(make_app(policy=policy)).sign_up()
        body = {"name": "x", "kind": "publishable", "allowed_origins": ORIGINS}
        body["agent_id"] = member.create_agent()["id"]
        assert set(issues(member.client.post(KEYS, body))) == {("kind",)}

    def test_a_new_file_does_not_stand_in_the_way_of_other_changes(self, member: Member) -> None:
        path = f"{KEYS}/{self.widget(member)['id']}"
        replace_parts(member.client.app, policy=read_policy(b'[scopes.a]\ndescription = "A"\n'))
        assert ok(member.client.patch(path, {"name": "new"}))["scopes"] == PUBLISHABLE


@pytest.mark.both_ways
class TestAFileThatNoLongerDeclares:
    def test_the_list_is_still_shown(self, member: Member) -> None:
        key = member.create_key(scopes=["read", "billing"])
        replace_parts(member.client.app, policy=read_policy(b'[scopes.read]\ndescription = "R"\n'))
        assert runtime_of(member.client.app).policy.usual_scopes == ("read",)
        assert ok(member.client.get(f"{KEYS}/{key['id']}"))["scopes"] == ["read", "billing"]
        assert ok(member.client.get(KEYS))[0]["scopes"] == ["read", "billing"]
        rotated = ok(member.client.post(f"{KEYS}/{key['id']}/rotate"), 201)
        assert rotated["scopes"] == ["read", "billing"]


class TestAnImport:
    def lines(self, member: Member, *lists: list[str]) -> str:
        return "".join(
            json.dumps(
                {
                    "digest": hashlib.sha256(str(scopes).encode()).hexdigest(),
                    "owner": member.email,
                    "name": "old",
                    "scopes": scopes,
                }
            )
            + "\n"
            for scopes in lists
        )

    def test_it_gives_what_operators_may(self, member: Member, tmp_path: Path) -> None:
        file = tmp_path / "keys.jsonl"
        file.write_text(self.lines(member, ["train", *USUAL]))
        done = member.client.app.test_cli_runner().invoke(args=["keys", "import", str(file)])
        assert done.exit_code == 0, done.output
        assert ok(member.client.get(KEYS))[0]["scopes"] == ["train", *USUAL]

    def test_it_names_a_scope_that_is_not_declared(self, member: Member, tmp_path: Path) -> None:
        file = tmp_path / "keys.jsonl"
        file.write_text(self.lines(member, ["query"], ["read"]))
        done = member.client.app.test_cli_runner().invoke(args=["keys", "import", str(file)])
        assert done.exit_code == 1
        assert "line 1: scopes.0: Must be one of: read, docs.write:all" in done.output
