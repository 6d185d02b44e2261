"""`accounts create|list|show|suspend|resume|set-plan|delete`."""

import json
import re

import pytest

from ragauth.schemas.internal import InternalAccountSchema
from tests.cases import for_each
from tests.cli.conftest import Commands
from tests.clients import PASSWORD, Client, error, ok
from tests.factories.api_keys import make_service_key

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
        kept = {"external_id": None, "metadata": None, "limits": None}
        assert created == {**login["account"], "status": "active", **kept}
        assert set(created) == set(InternalAccountSchema().fields)
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

    @for_each(
        ("arguments", "message"),
        [
            (("--email", "nobody", "--password", PASSWORD), "Not a valid email address"),
            (("--email", _EMAIL, "--password", "short"), "at least 8 characters"),
            (
                ("--email", _EMAIL, "--password", PASSWORD, "--username", "a b"),
                "3 to 50 letters",
            ),
            (("--password", PASSWORD), "Give --email or --external-id, or both."),
            (("--external-id", " a"), "May not begin or end with white space"),
            (("--external-id", "a", "--password", PASSWORD), "Who logs in needs an --email."),
            (("--external-id", "a", "--username", "ada1815"), "Who logs in needs an --email."),
            (
                ("--email", _EMAIL, "--no-password", "--generate-password"),
                "--no-password does not go with a password.",
            ),
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
            shown = commands.succeed("accounts", "show", account, "--json").json
            assert shown == {
                **created,
                "requests_this_month": 0,
                "units_this_month": 0,
                "use_this_month": {},
                "last_login_at": None,
                "second_factor": False,
                "sessions": 0,
                "keys": [],
            }

    def test_what_operators_keep_with_it_is_told(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        service = client.as_key(make_service_key(client.app, "accounts"))
        kept = {"external_id": "c-17", "metadata": {"crm": {"Zo\u00eb": ["\u202e", None]}}}
        ok(service.patch(f"/api/v1/internal/accounts/{member.id}", kept))
        shown = commands.succeed("accounts", "show", member.id, "--json").json
        assert {name: shown[name] for name in kept} == kept
        lines = commands.succeed("accounts", "show", member.id).output.splitlines()
        rows = dict(line.split(maxsplit=1) for line in lines if line.startswith(tuple(kept)))
        assert rows == {
            "external_id": "c-17",
            "metadata": '{"crm": {"Zo\u00eb": ["\\u202e", null]}}',
        }

    @pytest.mark.both_databases
    def test_keys_use_and_sessions_are_told(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        client.log_in(member)
        member.create_key(name="Second")
        for cost in (1, 7):
            member.key_client.get(f"/api/v1/authorize?cost={cost}")
        shown = commands.succeed("accounts", "show", member.id, "--json").json
        assert [key["name"] for key in shown["keys"]] == ["Second", "Primary"]
        assert (shown["requests_this_month"], shown["units_this_month"]) == (2, 8)
        assert (shown["sessions"], shown["second_factor"]) == (2, False)
        assert shown["last_login_at"] >= shown["created_at"]
        assert member.api_key not in json.dumps(shown)
        record, table = commands.succeed("accounts", "show", member.id).output.split("\n\n")
        rows = dict(line.split(maxsplit=1) for line in record.splitlines())
        assert set(rows) == set(shown)
        assert (rows["keys"], rows["name"], rows["email_verified"]) == ("2", "-", "no")
        assert [line.split()[1] for line in table.splitlines()] == ["name", "Second", "Primary"]

    @for_each(
        "account",
        ["nobody@example.com", "not@an@address", "acc_01h455vb4pex5vsknk084sn02q", "acc_x", "x"],
    )
    @for_each("command", ["show", "suspend", "resume"])
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

    def test_a_program_reads_the_account(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        for arguments, expected in (
            (("set-plan", member.email, "pro"), {"plan": "pro", "status": "active"}),
            (("suspend", member.email), {"plan": "pro", "status": "suspended"}),
            (("resume", member.email), {"plan": "pro", "status": "active"}),
        ):
            record = commands.succeed("accounts", *arguments, "--json").json
            assert record["id"] == member.id
            assert expected.items() <= record.items()


class TestList:
    def test_the_newest_come_first_as_many_as_are_wanted(
        self, commands: Commands, client: Client
    ) -> None:
        members = [client.sign_up() for _ in range(3)]
        listed = commands.succeed("accounts", "list", "--json").json
        assert [account["id"] for account in listed] == [member.id for member in reversed(members)]
        two = commands.succeed("accounts", "list", "--limit", "2", "--json").json
        assert two == listed[:2]
        assert commands.succeed("accounts", "list", "--limit", "0", "--json").json == listed

    @pytest.mark.both_databases
    def test_they_can_be_chosen_by_plan_and_status(
        self, commands: Commands, client: Client
    ) -> None:
        paying, poor, suspended = [client.sign_up() for _ in range(3)]
        commands.succeed("accounts", "set-plan", paying.id, "pro")
        commands.succeed("accounts", "suspend", suspended.id)
        for arguments, expected in (
            (("--plan", "pro"), [paying.id]),
            (("--plan", "trial"), [suspended.id, poor.id]),
            (("--status", "suspended"), [suspended.id]),
            (("--plan", "pro", "--status", "suspended"), []),
        ):
            listed = commands.succeed("accounts", "list", *arguments, "--json").json
            assert [account["id"] for account in listed] == expected

    def test_a_person_reads_a_table_with_a_head(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        head, row = commands.succeed("accounts", "list").output.splitlines()
        assert head.split()[:2] == ["id", "email"]
        assert row.split()[:2] == [member.id, member.email]

    def test_a_plan_that_does_not_exist_is_refused(self, commands: Commands) -> None:
        assert commands.fail("accounts", "list", "--plan", "gold") == _NO_SUCH_PLAN


@pytest.mark.both_databases
class TestSearch:
    def test_a_part_is_enough_and_nothing_in_it_is_a_wildcard(
        self, commands: Commands, client: Client
    ) -> None:
        ada = client.sign_up(
            email="Ada_L@Example.com", name="Ädä 100% Łovelace", username="Countess"
        )
        bob = client.sign_up(email="adaxl@example.com", name="Bob", username="bobby99")
        for search, expected in (
            ("ada_l@", [ada]),
            ("EXAMPLE.COM", [bob, ada]),
            ("COUNT", [ada]),
            ("ÄDÄ 100%", [ada]),
            ("łOVE", [ada]),
            ("o%b", []),
            ("b_b", []),
            (bob.id, [bob]),
            (bob.id.upper(), [bob]),
            (ada.id[:-4], [ada]),
            ("acc_", []),
            ("\\", []),
            ("'", []),
        ):
            listed = commands.succeed("accounts", "list", "--search", search, "--json").json
            assert [account["id"] for account in listed] == [each.id for each in expected], search
        both = ("--search", "example", "--plan", "pro")
        assert commands.succeed("accounts", "list", *both, "--json").json == []

    def test_what_follows_a_page_is_told(self, commands: Commands, client: Client) -> None:
        ids = [client.sign_up().id for _ in range(3)]
        page = commands.run("accounts", "list", "--limit", "2")
        assert page.errors == f"2 of 3; --limit 0 for all, or --after {ids[1]}\n"
        arguments = ("accounts", "list", "--limit", "2", "--after", ids[1], "--json")
        assert [account["id"] for account in commands.succeed(*arguments).json] == [ids[0]]


class TestDelete:
    @pytest.mark.both_databases
    def test_its_sessions_and_keys_die_at_once(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        deleted = commands.succeed("accounts", "delete", member.email, "--yes", "--json").json
        assert deleted == {"id": member.id, "status": "deleted"}
        error(member.client.get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "revoked")
        refused = member.key_client.get("/api/v1/authorize")
        error(refused, 401, "AUTHENTICATION_ERROR", "revoked")
        assert commands.fail("accounts", "show", member.id) == f"there is no account {member.id}"

    def test_a_program_that_does_not_say_yes_is_refused(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        assert "confirm with --yes" in commands.misuse("accounts", "delete", member.id)
        ok(member.client.get("/api/auth/me"))

    def test_an_account_that_does_not_exist_is_one_line(self, commands: Commands) -> None:
        assert commands.fail("accounts", "delete", "x@example.com", "--yes") == (
            "there is no account x@example.com"
        )


class TestSetLimit:
    def test_a_limit_of_the_plan_is_replaced_removed_and_restored(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()

        def set_limit(*words: str) -> object:
            shown = commands.succeed("accounts", "set-limit", member.id, *words, "--json")
            return shown.json["limits"]

        minute = {"meter": "requests", "window": "minute", "size": 600}
        month = {"meter": "requests", "window": "month", "size": None}
        assert set_limit("requests", "60s", "600") == [minute]
        assert set_limit("requests", "month", "none") == [minute, month]
        assert ok(member.key_client.get("/api/v1/me"))["limits"] == {
            "requests_per_minute": 600,
            "requests_per_month": None,
        }
        assert set_limit("requests", "minute", "default") == [month]
        assert set_limit("requests", "month", "default") is None
        assert member.event_names().count("account:limits_changed") == 4

    def test_people_are_told_in_a_sentence(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        for words, told in (
            (("day", "5"), "is limited to 5 requests a day"),
            (("total", "none"), "has no limit of requests in all"),
            (("10s", "5000"), "is limited to 5000 requests in 10s"),
            (
                ("hour", "default"),
                "has its plan's limit of requests an hour, if there is one",
            ),
        ):
            answer = commands.succeed("accounts", "set-limit", member.id, "requests", *words)
            assert answer.output.strip() == f"{member.email} {told}"
        shown = commands.succeed("accounts", "show", member.id).output
        told = "5 requests a day, no limit of requests in all, 5,000 requests in 10s"
        assert re.search(rf"^limits +{told}$", shown, re.MULTILINE)

    def test_faults_are_told_in_one_line(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        for words, told in (
            (("gold", "day", "5"), "meter: There is no such meter; there are: requests"),
            (("requests", "year", "5"), "window: Must be minute, hour"),
            (("requests", "day", "many"), "size: Must be a whole number"),
            (("requests", "day", "\u0663"), "size: Must be a whole number"),
            (("requests", "day", "9" * 5000), "size: Must be a whole number"),
        ):
            assert told in commands.fail("accounts", "set-limit", member.id, *words)
        unknown = commands.fail("accounts", "set-limit", "x@example.com", "requests", "day", "5")
        assert unknown == "there is no account x@example.com"

    def test_no_more_than_ten(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        for second in range(1, 11):
            commands.succeed("accounts", "set-limit", member.id, "requests", f"{second}s", "1")
        commands.succeed("accounts", "set-limit", member.id, "requests", "10s", "2")
        told = commands.fail("accounts", "set-limit", member.id, "requests", "11s", "1")
        assert told == "limits: The account has 10 limits of its own already"
