"""`usage top`: who uses most."""

import pytest

from ragauth import clock
from tests.api.limits.test_usage_of_meters import declare, key_of, save
from tests.cli.conftest import Commands
from tests.clients import Client


@pytest.mark.both_databases
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
            "external_id": None,
            "plan": "trial",
            "requests": requests,
            "units": units,
            "use": {},
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


@pytest.mark.both_databases
def test_other_meters_are_told_and_compared_too(
    commands: Commands, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(client, monkeypatch, b"[meters.tokens]\n[meters.pages]\n")
    most, less = client.sign_up(), client.sign_up()
    today = clock.now().date()
    save(client, key_of(most).meter(today, "tokens", 5_000, 1_000), key_of(less).requests(today, 9))
    save(
        client,
        key_of(less, "test").meter(today, "tokens", 70),
        key_of(less).meter(today, "units", 1),
    )
    found = commands.succeed("usage", "top", "--by", "tokens", "--json").json
    assert [(row["account_id"], row["requests"], row["use"]) for row in found] == [
        (most.id, 0, {"tokens": 4_000}),
        (less.id, 9, {"tokens": 70, "units": 1}),
    ]
    page = commands.run("usage", "top", "--by", "tokens", "--limit", "1")
    assert [line.split() for line in page.output.splitlines()] == [
        ["account_id", "requests", "units", "tokens", "plan", "email", "external_id"],
        [most.id, "0", "0", "4,000", "trial", most.email, "-"],
    ]
    assert page.errors == "1 of 2; --limit 0 for all\n"
    head = commands.run("usage", "top").output.splitlines()[0]
    assert head.split() == [
        "account_id",
        "requests",
        "units",
        "tokens",
        "use.units",
        "plan",
        "email",
        "external_id",
    ]
    assert commands.succeed("usage", "top", "--by", "pages", "--json").json == []
    shown = commands.succeed("accounts", "show", less.id, "--json").json
    assert shown["use_this_month"] == {"tokens": 70, "units": 1}
    assert (
        "use_this_month       tokens 70, units 1"
        in commands.run("accounts", "show", less.id).output
    )
