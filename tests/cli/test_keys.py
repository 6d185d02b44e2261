"""`keys list|show|revoke|revoke-all`: what an operator does with a key that leaked."""

import pytest
from sqlalchemy import update

from ragauth.extensions import db
from ragauth.models import ApiKey
from ragauth.services.limits import usage
from tests.cli.conftest import Commands
from tests.clients import Client, error, ok
from tests.factories.api_keys import make_service_key, mistyped, unknown_key


def is_dead(caller: Client) -> bool:
    response = caller.get("/api/v1/authorize")
    if response.status_code == 200:
        return False
    error(response, 401, "AUTHENTICATION_ERROR", "revoked")
    return True


class TestList:
    def test_it_has_the_accounts_keys_and_no_other(
        self, commands: Commands, client: Client
    ) -> None:
        member, stranger = client.sign_up(), client.sign_up()
        agent = member.create_agent()["id"]
        bound = member.create_key(agent_id=agent)
        listed = commands.succeed("keys", "list", member.email, "--json").json
        assert [key["id"] for key in listed][:1] == [bound["id"]]
        assert len(listed) == 2
        assert {key["email"] for key in listed} == {member.email}
        assert {key["account_id"] for key in listed} == {member.id}
        output = commands.succeed("keys", "list", stranger.id, "--json").output
        assert bound["id"] not in output
        assert stranger.api_key not in output

    def test_revoked_ones_are_shown_on_demand(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        commands.succeed("keys", "revoke", member.api_key, "--yes")
        assert commands.succeed("keys", "list", member.id, "--json").json == []
        (key,) = commands.succeed("keys", "list", member.id, "--include-revoked", "--json").json
        assert key["is_active"] is False

    def test_a_person_reads_a_table_with_a_head(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        head, row = commands.succeed("keys", "list", member.id).output.splitlines()
        assert head.split()[:3] == ["id", "name", "prefix"]
        assert "Primary" in row

    def test_an_account_that_does_not_exist_is_one_line(self, commands: Commands) -> None:
        assert commands.fail("keys", "list", "x@example.com") == (
            "there is no account x@example.com"
        )


class TestShow:
    def test_a_leaked_key_tells_whose_it_is(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        by_raw = commands.succeed("keys", "show", member.api_key, "--json")
        assert by_raw.json["email"] == member.email
        assert member.api_key not in by_raw.output
        by_id = commands.succeed("keys", "show", by_raw.json["id"], "--json")
        piped = commands.succeed("keys", "show", "-", "--json", typed=f"{member.api_key}\n")
        assert by_id.json == piped.json == by_raw.json

    def test_an_unknown_key_is_one_line_and_not_repeated(self, commands: Commands) -> None:
        for key in (unknown_key(), "key_01h455vb4pex5vsknk084sn02q", "x"):
            assert commands.fail("keys", "show", key) == "there is no such key"

    def test_what_is_wrong_about_its_form_is_said(self, commands: Commands) -> None:
        whole = unknown_key()
        for key, fault in (
            (whole[:-16], "36 characters after rag_live_ expected, 20 found"),
            ("rst_abcdefg", "36 characters after rst_ expected, 7 found"),
            (whole[:-1] + "-", "only letters and digits may follow rag_live_"),
            (whole[:-1] + "é", "the key has other characters than ASCII's"),
            ("\udcff", "the key has other characters than ASCII's"),
            (
                mistyped(whole),
                "its last six characters do not fit the others, so one of them is mistyped",
            ),
            ("key_01h455vb4pex5vsknk08", "26 characters after key_ expected, 20 found"),
        ):
            for command in (("show",), ("revoke", "--yes")):
                assert commands.fail("keys", *command, key) == fault

    def test_one_who_writes_for_long_does_not_hold_it_up(
        self, commands: Commands, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A key that leaked is found also while a migration runs."""
        monkeypatch.setattr(usage, "_READERS_WAIT_MS", 20)
        member = client.sign_up()
        assert member.key_client.get("/api/v1/authorize").status_code == 200
        with client.app.app_context():
            engine = db.engine
        with engine.begin() as other:
            other.execute(update(ApiKey).values(name="another"))
            shown = commands.run("keys", "show", member.api_key, "--json").json
            (found,) = commands.run("keys", "find", member.api_key[:12], "--json").json
        assert shown["id"] == found["id"]
        assert commands.succeed("keys", "show", member.api_key, "--json").json["last_used_at"]


@pytest.mark.both_databases
class TestFind:
    def test_a_prefix_finds_the_keys_of_all_accounts(
        self, commands: Commands, client: Client
    ) -> None:
        member, other = client.sign_up(), client.sign_up()
        (shown,) = commands.succeed("keys", "list", member.id, "--json").json
        for text in (shown["prefix"], f"{shown['prefix']}…", member.api_key, member.api_key[:20]):
            (found,) = commands.succeed("keys", "find", text, "--json").json
            assert (found["id"], found["email"]) == (shown["id"], member.email)
        service_key = make_service_key(client.app, "verify")
        everything = commands.succeed("keys", "find", "rag_", "--json").json
        assert [key["email"] for key in everything] == [None, other.email, member.email]
        assert service_key not in str(everything)
        assert commands.succeed("keys", "find", "RAG_LIVE_", "--json").json == []
        assert commands.succeed("keys", "find", "rag%", "--json").json == []
        page = commands.run("keys", "find", "rag_", "--limit", "1")
        assert page.errors.startswith("1 of 3; --limit 0 for all, or --after key_")
        commands.succeed("keys", "revoke", shown["id"], "--yes")
        assert commands.succeed("keys", "find", shown["prefix"], "--json").json == []
        dead = commands.succeed("keys", "find", shown["prefix"], "--include-revoked", "--json")
        assert [key["id"] for key in dead.json] == [shown["id"]]
        assert commands.fail("keys", "find", "\udcff") == "no key has such a prefix"


class TestRevoke:
    def test_a_prefix_that_one_key_has_is_enough(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        (shown,) = commands.succeed("keys", "list", member.id, "--json").json
        question = commands.misuse("keys", "revoke", shown["prefix"])
        assert member.email in question
        outcome = commands.succeed("keys", "revoke", shown["prefix"], "--yes")
        assert outcome.output == f"{shown['prefix']}… of {member.email} is revoked\n"
        assert is_dead(member.key_client)
        dead = commands.fail("keys", "revoke", shown["prefix"], "--yes")
        assert dead == "the key is revoked already"

    def test_a_prefix_of_several_keys_revokes_none(
        self, commands: Commands, client: Client
    ) -> None:
        members = [client.sign_up(), client.sign_up()]
        with client.app.app_context(), db.engine.begin() as connection:
            connection.execute(update(ApiKey.__table__).values(prefix="rag_live_abcd"))
        outcome = commands.run("keys", "revoke", "rag_live_abcd", "--yes")
        assert (outcome.exit_code, outcome.output) == (1, "")
        first, *lines = outcome.errors.splitlines()
        assert first == "Error: several keys are shown as rag_live_abcd…; name one by its id"
        assert [line.split()[-1] for line in lines] == [each.email for each in reversed(members)]
        # One that begins so, but is no whole prefix, would be a guess.
        assert commands.fail("keys", "revoke", "rag_live_a", "--yes").startswith("36 characters")
        assert not any(is_dead(member.key_client) for member in members)
        commands.succeed("keys", "revoke", lines[0].split()[0], "--yes")
        # Of the live ones it is the only one now.
        commands.succeed("keys", "revoke", "rag_live_abcd", "--yes")
        assert all(is_dead(member.key_client) for member in members)

    def test_it_is_dead_at_once_and_its_owner_can_see_why(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        outcome = commands.succeed("keys", "revoke", member.api_key, "--yes")
        assert member.email in outcome.output
        assert member.api_key not in outcome.output
        assert is_dead(member.key_client)
        assert member.event_names()[0] == "api_key:revoked"

    def test_it_is_named_by_its_id_too(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        further = member.create_key()
        revoked = commands.succeed("keys", "revoke", further["id"], "--yes", "--json").json
        assert (revoked["id"], revoked["is_active"]) == (further["id"], False)
        assert is_dead(client.as_key(further["api_key"]))
        assert not is_dead(member.key_client)

    def test_it_may_come_from_standard_input(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        commands.succeed("keys", "revoke", "-", "--yes", typed=f"{member.api_key}\n")
        assert is_dead(member.key_client)

    def test_a_services_key_can_leak_as_well(self, commands: Commands, client: Client) -> None:
        service_key = make_service_key(client.app, "verify")
        assert "a service" in commands.succeed("keys", "revoke", service_key, "--yes").output
        answer = client.as_key(service_key).post("/api/v1/keys/verify", {"key": "x"})
        error(answer, 401, "AUTHENTICATION_ERROR", "revoked")

    def test_a_program_that_does_not_say_yes_is_refused(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        assert "confirm with --yes" in commands.misuse("keys", "revoke", member.api_key)
        assert not is_dead(member.key_client)

    def test_a_key_that_is_dead_already_is_one_line(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        commands.succeed("keys", "revoke", member.api_key, "--yes")
        assert commands.fail("keys", "revoke", member.api_key, "--yes") == (
            "the key is revoked already"
        )


class TestRevokeAll:
    @pytest.mark.both_databases
    def test_every_key_of_the_account_is_dead_and_no_other(
        self, commands: Commands, client: Client
    ) -> None:
        member, stranger = client.sign_up(), client.sign_up()
        bound = member.create_key(agent_id=member.create_agent()["id"])
        revoked = commands.succeed("keys", "revoke-all", member.email, "--yes", "--json").json
        assert revoked == {"account_id": member.id, "revoked_keys": 2}
        assert is_dead(member.key_client)
        assert is_dead(client.as_key(bound["api_key"]))
        assert not is_dead(stranger.key_client)
        assert member.event_names()[:2] == ["api_key:revoked", "api_key:revoked"]
        ok(member.client.get("/api/auth/me"))

    def test_a_program_that_does_not_say_yes_is_refused(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        assert "confirm with --yes" in commands.misuse("keys", "revoke-all", member.id)
        assert not is_dead(member.key_client)
