"""Accounts of customers who log in elsewhere, and their managed keys, on the command line."""

import pytest

from tests.cli.conftest import Commands
from tests.clients import Client

EMAIL = "ada@example.com"


@pytest.mark.both_databases
class TestAnAccountWithoutALogin:
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
