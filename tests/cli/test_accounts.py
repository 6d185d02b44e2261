"""`accounts create|show|suspend|resume|set-plan`."""

import pytest

from ragauth.schemas.accounts import AccountSchema
from tests.cli.conftest import Commands
from tests.clients import PASSWORD, Client, error, ok

_EMAIL = "Ada@example.com"
_NO_SUCH_PLAN = "plan: There is no such plan; there are: trial, starter, pro, scale"


def _create(commands: Commands, *arguments: str) -> dict[str, object]:
    created: dict[str, object] = commands.succeed(
        *("accounts", "create", "--email", _EMAIL, "--password", PASSWORD, "--json", *arguments)
    ).json
    return created


class TestCreate:
    def test_its_owner_can_log_in(self, commands: Commands, client: Client) -> None:
        created = _create(
            commands, "--name", "Ada Lovelace", "--username", "Ada1", "--plan", "starter"
        )
        login = ok(client.post("/api/auth/login", {"username": "ada1", "password": PASSWORD}))
        assert created == {**login["account"], "status": "active"}
        assert set(created) == {*AccountSchema().fields, "status"}
        assert created["email"] == _EMAIL
        assert created["plan"] == "starter"
        assert created["name"] == "Ada Lovelace"

    def test_it_is_on_trial_and_has_no_key(self, commands: Commands, client: Client) -> None:
        assert _create(commands)["plan"] == "trial"
        token = ok(client.post("/api/auth/login", {"email": _EMAIL, "password": PASSWORD}))["token"]
        assert ok(client.as_user(token).get("/api/auth/api-keys")) == []

    def test_a_password_that_is_made_up_is_printed_once(
        self, commands: Commands, client: Client
    ) -> None:
        arguments = ("accounts", "create", "--email", _EMAIL, "--generate-password")
        lines = commands.succeed(*arguments).output.splitlines()
        (password,) = [line.split()[-1] for line in lines if line.startswith("password")]
        assert len(password) >= 20
        ok(client.post("/api/auth/login", {"email": _EMAIL, "password": password}))

    def test_a_password_that_is_typed_is_not_shown(
        self, commands: Commands, client: Client
    ) -> None:
        typed = f"{PASSWORD}\n{PASSWORD}\n"
        outcome = commands.run("accounts", "create", "--email", _EMAIL, typed=typed)
        assert outcome.exit_code == 0
        assert PASSWORD not in outcome.output + outcome.errors
        ok(client.post("/api/auth/login", {"email": _EMAIL, "password": PASSWORD}))

    def test_an_address_that_is_taken_is_refused_in_one_line(self, commands: Commands) -> None:
        _create(commands)
        refused = commands.fail(
            *("accounts", "create", "--email", _EMAIL.upper(), "--password", PASSWORD)
        )
        assert refused == "An account with this email already exists"

    def test_a_password_that_everybody_uses_is_refused_in_one_line(
        self, commands: Commands
    ) -> None:
        refused = commands.fail(
            *("accounts", "create", "--email", _EMAIL, "--password", "password123")
        )
        assert refused == "password: This password is on a list of well-known passwords"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--email", "nobody", "--password", PASSWORD), "Not a valid email address"),
            (("--email", _EMAIL, "--password", "short"), "at least 8 characters"),
            (
                ("--email", _EMAIL, "--password", PASSWORD, "--username", "a b"),
                "3 to 50 letters",
            ),
            (("--password", PASSWORD), "Missing option '--email'"),
        ],
    )
    def test_what_does_not_fit_is_named(
        self, commands: Commands, arguments: tuple[str, ...], message: str
    ) -> None:
        assert message in commands.misuse("accounts", "create", *arguments)

    def test_a_plan_that_does_not_exist_is_refused(self, commands: Commands) -> None:
        refused = commands.fail(
            *("accounts", "create", "--email", _EMAIL, "--password", PASSWORD, "--plan", "gold")
        )
        assert refused == _NO_SUCH_PLAN
        assert commands.fail("accounts", "show", _EMAIL) == f"there is no account {_EMAIL}"


class TestShow:
    def test_it_is_found_by_id_and_by_any_spelling_of_its_address(self, commands: Commands) -> None:
        created = _create(commands)
        for account in (str(created["id"]), _EMAIL, "ADA@EXAMPLE.COM"):
            assert commands.succeed("accounts", "show", account, "--json").json == created

    def test_a_person_reads_a_table(self, commands: Commands) -> None:
        created = _create(commands)
        rows = dict(
            line.split(maxsplit=1)
            for line in commands.succeed("accounts", "show", _EMAIL).output.splitlines()
        )
        assert set(rows) == set(created)
        assert rows["id"] == created["id"]
        assert rows["name"] == "-"
        assert rows["email_verified"] == "no"

    @pytest.mark.parametrize(
        "account",
        ["nobody@example.com", "not@an@address", "acc_01h455vb4pex5vsknk084sn02q", "acc_x", "x"],
    )
    @pytest.mark.parametrize("command", ["show", "suspend", "resume"])
    def test_an_account_that_does_not_exist_is_one_line(
        self, commands: Commands, command: str, account: str
    ) -> None:
        assert commands.fail("accounts", command, account) == f"there is no account {account}"


class TestSuspendAndResume:
    def test_tokens_and_keys_stop_working_and_work_again(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        assert commands.succeed("accounts", "suspend", member.id).output == (
            f"{member.email} is suspended\n"
        )
        assert commands.succeed("accounts", "show", member.id, "--json").json["status"] == (
            "suspended"
        )
        for answer in (
            member.client.get("/api/auth/me"),
            member.key_client.get("/api/v1/authorize"),
            client.post("/api/auth/login", {"email": member.email, "password": PASSWORD}),
        ):
            error(answer, 403, "AUTHORIZATION_ERROR", "account_suspended")
        assert commands.succeed("accounts", "resume", member.email).output == (
            f"{member.email} is active\n"
        )
        ok(member.client.get("/api/auth/me"))
        assert member.key_client.get("/api/v1/authorize").status_code == 200

    def test_each_is_an_event_of_the_account_once(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        for command in ("suspend", "suspend", "resume", "resume"):
            commands.succeed("accounts", command, member.id)
        names = member.event_names()
        assert names[:2] == ["account:resumed", "account:suspended"]
        assert names.count("account:suspended") == names.count("account:resumed") == 1

    def test_a_deleted_account_cannot_be_suspended(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        ok(member.client.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
        assert commands.fail("accounts", "suspend", member.id) == f"there is no account {member.id}"


class TestSetPlan:
    def test_it_counts_from_the_next_request_on(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        assert commands.succeed("accounts", "set-plan", member.email, "pro").output == (
            f"{member.email} has the plan pro\n"
        )
        assert ok(member.client.get("/api/auth/me"))["plan"] == "pro"
        limits = ok(member.key_client.get("/api/v1/me"))["limits"]
        assert limits == {"requests_per_minute": 1_200, "requests_per_month": 1_000_000}
        assert member.event_names()[0] == "account:plan_changed"

    def test_a_plan_that_does_not_exist_is_refused_and_changes_nothing(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        assert commands.fail("accounts", "set-plan", member.id, "gold") == _NO_SUCH_PLAN
        assert ok(member.client.get("/api/auth/me"))["plan"] == "trial"

    def test_an_account_that_does_not_exist_is_one_line(self, commands: Commands) -> None:
        assert commands.fail("accounts", "set-plan", "x@example.com", "pro") == (
            "there is no account x@example.com"
        )
