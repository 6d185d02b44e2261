"""`usage top`: who uses most."""

import pytest

from tests.cli.conftest import Commands
from tests.clients import Client

pytestmark = pytest.mark.both_databases


def test_the_accounts_that_use_most_come_first(commands: Commands, client: Client) -> None:
    often, dearly, never = client.sign_up(), client.sign_up(), client.sign_up()
    for _ in range(3):
        often.key_client.get("/api/v1/authorize")
    dearly.key_client.get("/api/v1/authorize?cost=1000")
    by_requests = commands.succeed("usage", "top", "--json").json
    assert by_requests == [
        {
            "account_id": member.id,
            "email": member.email,
            "plan": "trial",
            "requests": requests,
            "units": units,
        }
        for member, requests, units in ((often, 3, 3), (dearly, 1, 1000))
    ]
    by_units = commands.succeed("usage", "top", "--by", "units", "--days", "1", "--json").json
    assert by_units == by_requests[::-1]
    assert never.id not in str(by_units)
    page = commands.run("usage", "top", "--by", "units", "--limit", "1")
    assert page.output.splitlines()[1].split()[:3] == [dearly.id, "1", "1,000"]
    assert page.errors == "1 of 2; --limit 0 for all\n"
    assert "is not one of" in commands.misuse("usage", "top", "--by", "money")
