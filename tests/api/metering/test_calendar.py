"""Days, months and totals: what they begin with, when they end, and who goes on with them."""

from collections.abc import Callable

import time_machine
from flask import Flask

from ragauth.security.identifiers import ACCOUNT, decode_id
from ragauth.services.limits import usage
from ragauth.services.limits.limits import current_limits
from tests.api.metering.asking import authorize, key_with, left, limit
from tests.clients import Client, Member, ok
from tests.factories.policies import metered

KEYS = "/api/auth/api-keys"
DAY = 86_400
ALL = [
    limit(meter, window, 1000)
    for meter in ("requests", "tokens")
    for window in ("day", "month", "total")
]


def as_key(member: Member, key: dict[str, str]) -> Client:
    return Client(member.client.app).as_key(key["api_key"])


class TestPeriods:
    def test_a_day_and_a_month_begin_anew_and_a_total_never_does(
        self, member: Member, clock: time_machine.Traveller
    ) -> None:
        caller = key_with(member, *ALL)
        authorize(caller, "cost=3&use=tokens:30")
        clock.shift(DAY // 2)
        told = left(authorize(caller, "cost=3&use=tokens:30"))
        assert {name: told[name] for name in told if name.startswith("key")} == {
            **{"key-day": 997, "key-month": 994, "key-total": 994},
            **{"key-tokens-day": 970, "key-tokens-month": 940, "key-tokens-total": 940},
        }
        clock.shift(18 * DAY)
        told = left(authorize(caller, "cost=0"))
        assert (told["key-month"], told["key-total"]) == (1000, 994)
        assert (told["key-tokens-month"], told["key-tokens-total"]) == (1000, 940)

    def test_the_clock_may_step_back_over_midnight(
        self, member: Member, clock: time_machine.Traveller
    ) -> None:
        caller = key_with(member, limit("tokens", "day", 10))
        authorize(caller, "use=tokens:4")
        clock.shift(DAY)
        authorize(caller, "use=tokens:9")
        clock.shift(-DAY)
        assert left(authorize(caller, "use=tokens:1"))["key-tokens-day"] == 5


class TestBeginnings:
    def test_a_new_limit_begins_with_what_is_known(
        self, member: Member, clock: time_machine.Traveller
    ) -> None:
        key = member.create_key()
        caller = as_key(member, key)
        authorize(caller, "cost=5&use=tokens:50")
        clock.shift(DAY)
        authorize(caller, "cost=2&use=tokens:20")
        with member.client.app.app_context():
            usage.save_usage(current_limits().counters)
        authorize(caller, "cost=1&use=tokens:10")
        # Another key's use is its own.
        authorize(member.key_client, "cost=100&use=tokens:100")
        ok(member.client.patch(f"{KEYS}/{key['id']}", {"limits": ALL}))
        told = left(caller.get("/api/v1/me"))
        assert {name: told[name] for name in told if name.startswith("key")} == {
            **{"key-day": 997, "key-month": 992, "key-total": 992},
            **{"key-tokens-day": 970, "key-tokens-month": 920, "key-tokens-total": 920},
        }

    def test_shorter_windows_begin_at_zero(self, member: Member) -> None:
        key = member.create_key()
        authorize(as_key(member, key), "use=tokens:50")
        ok(member.client.patch(f"{KEYS}/{key['id']}", {"limits": [limit("tokens", "hour", 60)]}))
        assert left(authorize(as_key(member, key), "use=tokens:50"))["key-tokens-hour"] == 10

    def test_a_store_that_was_lost_goes_on_from_the_database(
        self, member: Member, make_app: Callable[..., Flask]
    ) -> None:
        key = member.create_key(limits=ALL)
        authorize(as_key(member, key), "cost=5&use=tokens:50")
        with member.client.app.app_context():
            usage.save_usage(current_limits().counters)
        other_host = Client(make_app(policy=metered())).as_key(key["api_key"])
        told = left(authorize(other_host, "cost=1&use=tokens:1"))
        assert (told["key-total"], told["key-tokens-total"]) == (994, 949)
        with other_host.app.app_context():
            current_limits().counters.forget_account(decode_id(ACCOUNT, member.id).bytes)
        told = left(authorize(other_host, "cost=1&use=tokens:1"))
        assert (told["month"], told["key-total"], told["key-tokens-total"]) == (993, 993, 948)

    def test_what_a_reservation_gave_back_is_not_counted(
        self, member: Member, service: Client, make_app: Callable[..., Flask]
    ) -> None:
        key = member.create_key()
        answer = authorize(as_key(member, key), "reserve=tokens:500")
        body = {
            "reservation_id": answer.headers["X-Ragauth-Reservation"],
            "use": {"tokens": 20},
        }
        ok(service.post("/api/v1/usage/settle", body))
        ok(member.client.patch(f"{KEYS}/{key['id']}", {"limits": ALL}))
        assert left(authorize(as_key(member, key)))["key-tokens-total"] == 980
        with member.client.app.app_context():
            usage.save_usage(current_limits().counters)
        other_host = Client(make_app(policy=metered())).as_key(key["api_key"])
        assert left(authorize(other_host))["key-tokens-total"] == 980


class TestSuccessors:
    def test_a_rotated_key_and_its_successor_count_together(self, member: Member) -> None:
        key = member.create_key(
            limits=[limit("tokens", "total", 100), limit("requests", "hour", 9)]
        )
        authorize(as_key(member, key), "use=tokens:10")
        successors = [key]
        for _ in range(2):
            path = f"{KEYS}/{successors[-1]['id']}/rotate"
            successors.append(ok(member.client.post(path, {"grace_seconds": 60}), 201))
        told = left(authorize(as_key(member, successors[2]), "use=tokens:20"))
        assert (told["key-tokens-total"], told["key-hour"]) == (70, 7)
        told = left(authorize(as_key(member, successors[1]), "use=tokens:30"))
        assert (told["key-tokens-total"], told["key-hour"]) == (40, 6)

    def test_a_limit_that_comes_later_knows_what_predecessors_used(self, member: Member) -> None:
        key = member.create_key()
        authorize(as_key(member, key), "use=tokens:10")
        successor = ok(member.client.post(f"{KEYS}/{key['id']}/rotate", {}), 201)
        path = f"{KEYS}/{successor['id']}"
        ok(member.client.patch(path, {"limits": [limit("tokens", "total", 100)]}))
        assert left(authorize(as_key(member, successor)))["key-tokens-total"] == 90

    def test_a_regenerated_key_goes_on_too(self, member: Member) -> None:
        (primary,) = ok(member.client.get(KEYS))
        limits = [limit("requests", "total", 10)]
        ok(member.client.patch(f"{KEYS}/{primary['id']}", {"limits": limits}))
        authorize(member.key_client, "cost=7")
        made = ok(member.client.post("/api/auth/api-key/regenerate"))
        assert left(authorize(as_key(member, made), "cost=2"))["key-total"] == 1


def test_an_accounts_limits_are_shared_by_all_its_keys(
    make_app: Callable[..., Flask], clock: time_machine.Traveller
) -> None:
    policy = metered("day = 5", "tokens = { total = 100 }")
    member = Client(make_app(policy=policy)).sign_up()
    stranger = Client(member.client.app).sign_up()
    authorize(stranger.key_client, "cost=5&use=tokens:100")
    agent = member.create_agent()["id"]
    callers = [member.key_client, key_with(member), key_with(member, agent_id=agent)]
    for caller in callers:
        assert authorize(caller, "use=tokens:20").status_code == 200
    assert left(authorize(member.key_client, "use=tokens:40"))["tokens-total"] == 0
    assert authorize(callers[1], "use=tokens:1").status_code == 429
    clock.shift(DAY)
    told = left(authorize(callers[2]))
    assert (told["day"], told["tokens-total"]) == (4, 0)
