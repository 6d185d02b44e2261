"""`service-keys create|list|revoke`."""

import re

import pytest
from flask import Flask

from ragauth import transaction
from ragauth.extensions import db
from ragauth.models import ApiKey
from ragauth.security.identifiers import KEY, encode_id
from ragauth.security.key_format import is_well_formed
from ragauth.services.operators.service_keys import create_service_key
from tests.cases import for_each
from tests.cli.conftest import Commands
from tests.clients import Client, error, ok

_COLUMNS = {"id", "name", "prefix", "scopes", "is_active", "created_at"}

NO_SUCH_KEY = "There is no such service key, or it is revoked already"


def _create(commands: Commands, name: str = "gateway", *scopes: str) -> dict[str, str]:
    options = [part for scope in scopes or ("verify",) for part in ("--scope", scope)]
    created: dict[str, str] = commands.succeed(
        "service-keys", "create", "--name", name, *options, "--json"
    ).json
    return created


class TestCreate:
    def test_its_key_may_ask_for_verdicts(self, commands: Commands, client: Client) -> None:
        created = _create(commands)
        assert set(created) == {"api_key", *_COLUMNS}
        assert is_well_formed(created["api_key"], "rag")
        assert created["api_key"].startswith("rag_svc_")
        assert created["api_key"].startswith(created["prefix"])
        member = client.sign_up()
        verdict = ok(
            client.as_key(created["api_key"]).post("/api/v1/keys/verify", {"key": member.api_key})
        )
        assert verdict["code"] == "VALID"

    def test_it_may_do_no_more_than_its_scopes(self, commands: Commands, client: Client) -> None:
        created = _create(commands, "billing", "usage", "accounts", "usage")
        assert created["scopes"] == ["usage", "accounts"]
        answer = client.as_key(created["api_key"]).post("/api/v1/keys/verify", {"key": "x"})
        error(answer, 403, "AUTHORIZATION_ERROR", "insufficient_scope")

    def test_only_the_digest_of_the_key_is_stored(self, commands: Commands, app: Flask) -> None:
        created = _create(commands)
        with app.app_context(), transaction.read_only():
            (row,) = db.session.execute(db.select(ApiKey.__table__)).all()
        assert created["api_key"] not in str(row)
        assert row.account_id is None

    def test_a_person_reads_the_key_in_the_first_line(self, commands: Commands) -> None:
        arguments = ("service-keys", "create", "--name", "gateway", "--scope", "verify")
        first, *_ = commands.succeed(*arguments).output.splitlines()
        assert re.fullmatch(r"api_key +rag_svc_[0-9A-Za-z]{36}", first)

    @for_each(
        ("arguments", "message"),
        [
            (("--scope", "verify"), "Missing option '--name'"),
            (("--name", "gateway"), "Missing option '--scope'"),
            (("--name", "gateway", "--scope", "query"), "'query' is not one of"),
            (("--name", "", "--scope", "verify"), "May not be empty"),
            (("--name", "a" * 101, "--scope", "verify"), "at most 100 characters"),
        ],
    )
    def test_what_does_not_fit_is_named(
        self, commands: Commands, arguments: tuple[str, ...], message: str
    ) -> None:
        assert message in commands.misuse("service-keys", "create", *arguments)


class TestList:
    @pytest.mark.both_databases
    def test_it_has_all_keys_newest_first_and_no_raw_key(
        self, commands: Commands, app: Flask
    ) -> None:
        with app.app_context():
            made = [create_service_key(name="gateway", scopes=["verify"]) for _ in range(102)]
        created = [encode_id(KEY, issued.key.id) for issued in made]
        last = _create(commands)
        created.append(last["id"])
        raw_keys = [*(issued.raw_key for issued in made), last["api_key"]]
        listed = commands.succeed("service-keys", "list", "--limit", "0", "--json")
        assert [key["id"] for key in listed.json] == created[::-1]
        assert all(set(key) == _COLUMNS for key in listed.json)
        assert not any(raw_key in listed.output for raw_key in raw_keys)
        page = commands.run("service-keys", "list")
        assert len(page.output.splitlines()) == 101
        fourth = created[3]
        assert page.errors == f"100 of 103; --limit 0 for all, or --after {fourth}\n"
        rest = commands.succeed("service-keys", "list", "--after", fourth, "--json").json
        assert rest == listed.json[100:]

    def test_revoked_keys_are_shown_on_demand(self, commands: Commands) -> None:
        key_id = _create(commands)["id"]
        commands.succeed("service-keys", "revoke", key_id, "--yes")
        assert commands.succeed("service-keys", "list", "--json").json == []
        (key,) = commands.succeed("service-keys", "list", "--include-revoked", "--json").json
        assert (key["id"], key["is_active"]) == (key_id, False)

    def test_the_keys_of_customers_are_not_among_them(
        self, commands: Commands, client: Client
    ) -> None:
        client.sign_up()
        assert commands.succeed("service-keys", "list", "--json").json == []

    def test_a_person_reads_a_table_with_a_head(self, commands: Commands) -> None:
        created = _create(commands, "gateway", "verify", "usage")
        head, row = commands.succeed("service-keys", "list").output.splitlines()
        assert set(head.split()) == _COLUMNS
        assert row.split()[0] == created["id"]
        assert "verify, usage" in row


class TestRevoke:
    def test_the_key_is_dead_at_once(self, commands: Commands, client: Client) -> None:
        created = _create(commands)
        assert (
            commands.succeed("service-keys", "revoke", created["id"], "--yes").output == "revoked\n"
        )
        answer = client.as_key(created["api_key"]).post("/api/v1/keys/verify", {"key": "x"})
        error(answer, 401, "AUTHENTICATION_ERROR", "revoked")

    def test_a_dead_or_unknown_key_is_one_line(self, commands: Commands) -> None:
        key_id = _create(commands)["id"]
        commands.succeed("service-keys", "revoke", key_id, "--yes")
        assert commands.fail("service-keys", "revoke", key_id, "--yes") == NO_SUCH_KEY
        unknown = "key_01h455vb4pex5vsknk084sn02q"
        assert commands.fail("service-keys", "revoke", unknown, "--yes") == NO_SUCH_KEY

    def test_a_customers_key_is_not_found(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        (key,) = ok(member.client.get("/api/auth/api-keys"))
        assert commands.fail("service-keys", "revoke", key["id"], "--yes") == NO_SUCH_KEY
        assert member.key_client.get("/api/v1/authorize").status_code == 200

    def test_a_program_that_does_not_say_yes_is_refused(
        self, commands: Commands, client: Client
    ) -> None:
        created = _create(commands)
        assert "confirm with --yes" in commands.misuse("service-keys", "revoke", created["id"])
        member = client.sign_up()
        ok(client.as_key(created["api_key"]).post("/api/v1/keys/verify", {"key": member.api_key}))

    def test_a_program_reads_what_was_revoked(self, commands: Commands) -> None:
        key_id = _create(commands)["id"]
        revoked = commands.succeed("service-keys", "revoke", key_id, "--yes", "--json").json
        assert (revoked["id"], revoked["is_active"]) == (key_id, False)

    def test_what_is_no_key_id_is_named(self, commands: Commands) -> None:
        assert "Must be key_ and 26 characters" in commands.misuse(
            "service-keys", "revoke", "key_1"
        )
