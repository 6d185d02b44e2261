"""Accounts of customers who log in elsewhere, and their managed keys, on the command line."""

import hashlib
import json
from collections.abc import Callable

import pytest
from flask import Flask

from tests.api.limits.test_usage_of_meters import declare
from tests.cli.conftest import Commands
from tests.clients import PASSWORD, Client, ok
from tests.factories.mails import receive_one
from tests.factories.policies import own_scopes

EMAIL = "ada@example.com"
OLD_KEY = "sk-live-0123456789abcdef"


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class TestAnAccountWithoutALogin:
    @pytest.mark.both_databases
    def test_an_external_id_is_enough_and_names_it_from_then_on(
        self, commands: Commands, client: Client
    ) -> None:
        create = ("accounts", "create", "--external-id", "c/17 \u00eb@x")
        made = commands.succeed(*create, "--plan", "pro", "--json").json
        assert (made["email"], made["external_id"], made["plan"]) == (None, "c/17 \u00eb@x", "pro")
        assert "password" not in made
        taken = commands.fail(*create)
        assert taken == "An account with this external id already exists"
        named = "ext:c/17 \u00eb@x"
        assert commands.succeed("accounts", "show", named, "--json").json["id"] == made["id"]
        told = commands.succeed("accounts", "set-plan", named, "trial").output
        assert told == f"{named} has the plan trial\n"
        key = commands.succeed("keys", "create", named, "--name", "k", "--json").json
        assert (key["managed"], key["account_id"]) == (True, made["id"])
        assert client.as_key(key["api_key"]).get("/api/v1/authorize").status_code == 200
        table = commands.succeed("keys", "list", named).output.splitlines()
        assert dict(zip(table[0].split(), table[1].split(), strict=False))["managed"] == "yes"
        told = commands.succeed("keys", "revoke-all", named, "--yes").output
        assert told == f"1 keys of {named} are revoked\n"
        assert commands.succeed("accounts", "delete", named, "--yes").output == (
            f"{named} is deleted\n"
        )
        assert commands.fail("accounts", "show", named) == f"there is no account {named}"

    def test_one_with_an_address_may_have_no_password(self, commands: Commands) -> None:
        made = commands.succeed(
            *("accounts", "create", "--email", EMAIL, "--no-password", "--json")
        ).json
        assert (made["email"], made["external_id"]) == (EMAIL, None)

    def test_what_no_key_can_be_is_named(self, commands: Commands) -> None:
        commands.succeed("accounts", "create", "--external-id", "a")
        create = ("keys", "create", "ext:a", "--name")
        faults = commands.fail(*create, "", "--scope", "x")
        assert "name: May not be empty" in faults
        assert "scopes.0: Must be one of" in faults
        assert commands.fail(*create, "k", "--scope", "verify").startswith("scopes.0: Must be one")
        made = commands.succeed(*create, "k", "--scope", "query", "--json").json
        assert made["scopes"] == ["query"]


class TestTheExternalIdStandsForTheAccount:
    def test_in_a_file_of_keys(self, commands: Commands, client: Client) -> None:
        longest = "x" * 255
        for external_id in ("c/17 \u00eb@x", longest):
            commands.succeed("accounts", "create", "--external-id", external_id)
        lines = [
            {"digest": digest(key), "owner": f"ext:{external_id}", "name": "from before"}
            for key, external_id in ((OLD_KEY, "c/17 \u00eb@x"), (f"{OLD_KEY}2", longest))
        ]
        typed = json.dumps(lines)
        foreseen = commands.succeed("keys", "import", "-", "--dry-run", "--json", typed=typed).json
        assert [told["external_id"] for told in foreseen["accounts"]] == ["c/17 \u00eb@x", longest]
        assert commands.succeed("keys", "import", "-", "--json", typed=typed).json["imported"] == 2
        assert client.as_key(OLD_KEY).get("/api/v1/authorize").status_code == 200

    @pytest.mark.parametrize("owner", ["ext:", "ext:nobody", "ext:ada@example.com"])
    def test_an_unknown_one_is_named(self, commands: Commands, owner: str) -> None:
        commands.succeed("accounts", "create", "--email", EMAIL, "--no-password")
        line = {"digest": digest(OLD_KEY), "owner": owner, "name": "from before"}
        outcome = commands.run("keys", "import", "-", typed=json.dumps([line]))
        assert outcome.exit_code == 1
        assert outcome.errors.endswith(f"\nentry 1: owner: there is no account {owner}\n")

    def test_in_the_history(self, commands: Commands) -> None:
        for external_id in ("c-17", "ada@x"):
            made = commands.succeed("accounts", "create", "--external-id", external_id, "--json")
            output = commands.succeed("events", "export", "--account", f"ext:{external_id}").output
            (event,) = map(json.loads, output.splitlines())
            assert (event["name"], event["account_id"]) == ("account:created", made.json["id"])
        refused = commands.fail("events", "tail", "--account", "ext:c-18")
        assert refused == "there is no account ext:c-18"


class TestAnAccountWithoutAnAddressIsToldByItsExternalId:
    def test_with_its_keys(self, commands: Commands) -> None:
        commands.succeed("accounts", "create", "--external-id", "c-17")
        made = commands.succeed("keys", "create", "ext:c-17", "--name", "k", "--json").json
        for shown in (
            commands.succeed("keys", "show", made["id"], "--json").json,
            commands.succeed("keys", "find", made["prefix"], "--json").json[0],
        ):
            assert (shown["email"], shown["external_id"]) == (None, "c-17")
        assert "c-17" in commands.succeed("keys", "find", made["prefix"]).output
        told = commands.succeed("keys", "revoke", made["id"], "--yes").output
        assert "ext:c-17" in told

    @pytest.mark.parametrize("by", ["requests", "tokens"])
    @pytest.mark.both_databases
    def test_with_what_it_used(
        self, commands: Commands, client: Client, monkeypatch: pytest.MonkeyPatch, by: str
    ) -> None:
        declare(client, monkeypatch, b"[meters.tokens]\n")
        commands.succeed("accounts", "create", "--external-id", "c-17")
        key = commands.succeed("keys", "create", "ext:c-17", "--name", "k", "--json").json
        used = client.as_key(key["api_key"]).get("/api/v1/authorize?use=tokens:7")
        assert used.status_code == 200
        (row,) = commands.succeed("usage", "top", "--by", by, "--json").json
        assert (row["email"], row["external_id"], row["use"]) == (None, "c-17", {"tokens": 7})


class TestImportedKeysThatAreManaged:
    def test_a_reset_by_the_owner_of_an_unconfirmed_address_leaves_them(
        self, app: Flask, commands: Commands, client: Client
    ) -> None:
        """S42: they are the operator's."""
        commands.succeed("accounts", "create", "--email", EMAIL, "--no-password")
        flags = ("true", "T", "false", "f", "")
        lines = [f"{digest(OLD_KEY + flag)},{EMAIL},k{flag},{flag}" for flag in flags]
        typed = "\n".join(["digest,owner,name,managed", *lines])
        assert commands.succeed("keys", "import", "-", "--json", typed=typed).json["imported"] == 5
        ok(client.post("/api/auth/password/forgot", {"email": EMAIL}), 202)
        reset = {"token": receive_one(app, "Set a new password").token, "new_password": PASSWORD}
        ok(client.post("/api/auth/password/reset", reset), 204)
        token = ok(client.post("/api/auth/login", {"email": EMAIL, "password": PASSWORD}))["token"]
        listed = ok(client.as_user(token).get("/api/auth/api-keys"))
        assert {key["name"]: key["managed"] for key in listed} == {"ktrue": True, "kT": True}

    def test_what_is_neither_true_nor_false_is_named(self, commands: Commands) -> None:
        commands.succeed("accounts", "create", "--email", EMAIL, "--no-password")
        for flag in ("yes", 1, [], {"a": 1}):
            line = {"digest": digest(OLD_KEY), "owner": EMAIL, "name": "k", "managed": flag}
            outcome = commands.run("keys", "import", "-", typed=json.dumps([line]))
            assert outcome.errors.endswith("\nentry 1: managed: Must be true or false\n")


def test_open_scopes_are_for_imported_keys_that_are_managed(
    make_app: Callable[..., Flask],
) -> None:
    commands = Commands(make_app(policy=own_scopes(open_scopes=True)))
    commands.succeed("accounts", "create", "--external-id", "a")
    line = {"digest": digest(OLD_KEY), "owner": "ext:a", "name": "k", "scopes": ["of.its:own"]}
    outcome = commands.run("keys", "import", "-", typed=json.dumps([line]))
    fault = "entry 1: scopes: Only a managed key may have undeclared scopes"
    assert outcome.errors.splitlines() == ["Error: nothing was imported", fault]
    commands.succeed("keys", "import", "-", typed=json.dumps([line | {"managed": True}]))
    key = Client(commands.app).as_key(OLD_KEY)
    assert key.get("/api/v1/authorize?scope=of.its:own").status_code == 200
