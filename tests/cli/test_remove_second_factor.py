"""`accounts remove-second-factor`"""

from tests.cli.conftest import Commands
from tests.clients import Client, ok
from tests.factories.second_factors import PATH, begin_enrolment, enrol, first_step


def test_the_password_is_enough_again(commands: Commands, client: Client) -> None:
    member = client.sign_up()
    enrol(member)
    first_step(client, member)
    assert commands.succeed("accounts", "remove-second-factor", member.email, "--yes").output == (
        f"{member.email} has no second factor any more\n"
    )
    assert "token" in client.log_in(member)
    assert ok(member.client.get(PATH))["recovery_codes_left"] == 0


def test_it_is_in_the_accounts_history(commands: Commands, client: Client) -> None:
    member = client.sign_up()
    enrol(member)
    commands.succeed("accounts", "remove-second-factor", member.id, "--yes")
    event = ok(member.client.get("/api/auth/events"))[0]
    assert event["name"] == "account:second_factor_removed"
    assert event["user_agent"] == "operator"


def test_an_account_without_one_is_one_line(commands: Commands, client: Client) -> None:
    member = client.sign_up()
    begin_enrolment(member)
    refused = commands.fail("accounts", "remove-second-factor", member.email, "--yes")
    assert refused == f"{member.email} has no second factor"


def test_an_account_that_does_not_exist_is_one_line(commands: Commands) -> None:
    refused = commands.fail("accounts", "remove-second-factor", "x@example.com")
    assert refused == "there is no account x@example.com"
