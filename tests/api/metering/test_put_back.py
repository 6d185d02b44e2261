"""A limit that was taken away and is put back is new: it missed what was used meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from flask import Flask

from tests.api.metering.asking import authorize, left, limit
from tests.clients import Client, Member, ok
from tests.factories.api_keys import make_service_key
from tests.factories.policies import metered

OWN = (
    limit("requests", "total", 100),
    limit("tokens", "day", 100),
    limit("tokens", "month", 100, name="m", applies="named"),
    limit("requests", "hour", 100),
)
ACCOUNTS = [
    limit("tokens", "total", 100),
    limit("tokens", "day", 100),
    limit("tokens", "month", 100),
    limit("requests", "hour", 100),
]


@pytest.fixture
def operator(member: Member) -> Client:
    return Client(member.client.app).as_key(make_service_key(member.client.app, "accounts"))


def administer(operator: Client, member: Member, **changes: Any) -> None:
    ok(operator.patch(f"/api/v1/internal/accounts/{member.id}", changes))


def use(caller: Client, times: int) -> dict[str, int]:
    """Use 3 tokens so many times; what is left afterwards."""
    for _ in range(times):
        answer = authorize(caller, "use=tokens:3&limit=m")
        assert answer.status_code == 200, answer.text
    return left(answer)


def own(told: dict[str, int]) -> dict[str, int]:
    return {name: rest for name, rest in told.items() if name.startswith("key-")}


def test_a_keys_limits_begin_at_its_usage_and_short_ones_at_zero(member: Member) -> None:
    made = member.create_key(limits=[*OWN])
    caller = Client(member.client.app).as_key(made["api_key"])
    change = f"/api/auth/api-keys/{made['id']}"
    use(caller, 2)
    ok(member.client.patch(change, {"limits": [OWN[1]]}))
    assert own(use(caller, 3)) == {"key-tokens-day": 85}
    ok(member.client.patch(change, {"limits": [*OWN]}))
    assert own(use(caller, 1)) == {
        "key-total": 94,
        "key-tokens-day": 82,
        "key-m": 82,
        "key-hour": 99,
    }


def test_an_accounts_limits_do_too_in_both_environments(member: Member, operator: Client) -> None:
    test_key = member.create_key(environment="test")["api_key"]
    for caller in (member.key_client, Client(member.client.app).as_key(test_key)):
        administer(operator, member, limits=ACCOUNTS)
        use(caller, 2)
        administer(operator, member, limits=None)
        use(caller, 3)
        administer(operator, member, limits=ACCOUNTS)
        told = use(caller, 1)
        assert [told[name] for name in ("tokens-total", "tokens-day", "tokens-month", "hour")] == [
            *(82, 82, 82, 99)
        ]


def test_a_limit_whose_size_changes_keeps_its_count(member: Member, operator: Client) -> None:
    administer(operator, member, limits=ACCOUNTS)
    use(member.key_client, 2)
    administer(operator, member, limits=[{**one, "size": 50} for one in ACCOUNTS])
    told = use(member.key_client, 1)
    assert [told[name] for name in ("tokens-total", "tokens-day", "tokens-month", "hour")] == [
        *(41, 41, 41, 47)
    ]


@pytest.mark.both_databases
def test_a_plan_that_is_left_and_taken_again(
    make_app: Callable[..., Flask], clock: time_machine.Traveller
) -> None:
    member = Client(make_app(policy=metered(others="tokens = { day = 100 }"))).sign_up()
    operator = Client(member.client.app).as_key(make_service_key(member.client.app, "accounts"))
    assert use(member.key_client, 2)["tokens-day"] == 94
    administer(operator, member, plan="free")
    answer = authorize(member.key_client, "use=tokens:3")
    assert "RateLimit" not in answer.headers
    administer(operator, member, plan="trial")
    assert use(member.key_client, 1)["tokens-day"] == 88


def test_what_was_reserved_before_is_given_back(member: Member, service: Client) -> None:
    made = member.create_key(limits=[limit("tokens", "day", 100)])
    caller = Client(member.client.app).as_key(made["api_key"])
    change = f"/api/auth/api-keys/{made['id']}"
    reservation = authorize(caller, "reserve=tokens:40").headers["X-Ragauth-Reservation"]
    for limits in (None, [limit("tokens", "day", 100)]):
        ok(member.client.patch(change, {"limits": limits}))
    assert own(left(authorize(caller))) == {"key-tokens-day": 60}
    body = {"reservation_id": reservation, "use": {"tokens": 5}}
    assert service.post("/api/v1/usage/settle", body).status_code == 200
    assert own(left(authorize(caller))) == {"key-tokens-day": 95}


@pytest.mark.both_databases
def test_what_a_predecessor_in_its_grace_takes_up_goes_on(member: Member) -> None:
    hour = limit("requests", "hour", 100)
    made = member.create_key(limits=[])
    path = "/api/auth/api-keys"
    body = {"grace_seconds": 60}
    successor = ok(member.client.post(f"{path}/{made['id']}/rotate", body), 201)
    old, new = (Client(member.client.app).as_key(each["api_key"]) for each in (made, successor))
    ok(member.client.patch(f"{path}/{successor['id']}", {"limits": [hour]}))
    use(new, 2)
    ok(member.client.patch(f"{path}/{made['id']}", {"limits": [hour]}))
    assert own(use(old, 1)) == {"key-hour": 97}
    ok(member.client.patch(f"{path}/{successor['id']}", {"limits": []}))
    ok(member.client.patch(f"{path}/{successor['id']}", {"limits": [hour]}))
    assert own(use(new, 1)) == {"key-hour": 96}
