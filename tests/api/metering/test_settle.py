"""POST /api/v1/usage/settle: what was reserved is replaced by what was used."""

from collections.abc import Callable

import pytest
import time_machine
from flask import Flask

from tests.api.metering.asking import authorize, key_with, left, limit
from tests.cases import for_each
from tests.clients import Client, Member, error, issues, ok
from tests.factories.api_keys import make_service_key
from tests.factories.policies import metered
from tests.runtime import runtime_of
from tests.servers.redis import start_redis

PATH = "/api/v1/usage/settle"


def reserve(caller: Client, query: str = "reserve=tokens:4000") -> str:
    response = authorize(caller, query)
    assert response.status_code == 200, response.text
    return response.headers["X-Ragauth-Reservation"]


@pytest.fixture
def caller(member: Member) -> Client:
    return key_with(
        member,
        *(limit("tokens", window, 5000) for window in ("10s", "day", "month", "total")),
        limit("pages", "total", 10),
    )


class TestSucceeds:
    @pytest.mark.both_databases
    def test_what_was_too_much_is_given_back_at_once(self, caller: Client, service: Client) -> None:
        reservation_id = reserve(caller, "use=tokens:100&reserve=tokens:4000&reserve=pages:3")
        body = {"reservation_id": reservation_id, "use": {"tokens": 812}}
        for _ in range(2):
            assert ok(service.post(PATH, body)) == {
                "reservation_id": reservation_id,
                "used": {"tokens": 812, "pages": 0},
                "released": {"tokens": 3188, "pages": 3},
            }
        told = left(authorize(caller))
        assert {told[f"key-tokens-{window}"] for window in ("10s", "day", "month", "total")} == {
            5000 - 912
        }
        assert told["key-pages-total"] == 10

    def test_what_was_too_little_is_counted_past_the_limit(
        self, caller: Client, service: Client
    ) -> None:
        body = {"reservation_id": reserve(caller), "use": {"tokens": 5001}}
        assert ok(service.post(PATH, body))["released"] == {"tokens": 0}
        refused = authorize(caller)
        assert error(refused, 429, "USAGE_LIMIT_EXCEEDED")["limit"] == "tokens_total"
        assert left(refused)["key-tokens-day"] == 0

    def test_windows_that_are_over_stay_as_they_are(
        self, caller: Client, service: Client, clock: time_machine.Traveller
    ) -> None:
        reservation_id = reserve(caller)
        clock.shift(11)
        assert authorize(caller, "use=tokens:900").status_code == 200
        ok(service.post(PATH, {"reservation_id": reservation_id, "use": {}}))
        told = left(authorize(caller))
        assert (told["key-tokens-10s"], told["key-tokens-total"]) == (4100, 4100)

    def test_one_that_is_never_settled_stays_counted(
        self, caller: Client, service: Client, clock: time_machine.Traveller
    ) -> None:
        reservation_id = reserve(caller)
        clock.shift(900)
        error(
            service.post(PATH, {"reservation_id": reservation_id, "use": {"tokens": 1}}),
            409,
            "CONFLICT",
        )
        assert left(authorize(caller))["key-tokens-total"] == 1000

    def test_one_that_verify_made_is_settled_too(self, caller: Client, service: Client) -> None:
        question = {"key": caller.headers["X-API-Key"], "reserve": {"tokens": 10}}
        verdict = ok(service.post("/api/v1/keys/verify", question))
        body = {"reservation_id": verdict["reservation_id"], "use": {"tokens": 10}}
        assert ok(service.post(PATH, body))["released"] == {"tokens": 0}

    def test_the_time_for_it_is_a_setting(
        self, make_app: Callable[..., Flask], clock: time_machine.Traveller
    ) -> None:
        app = make_app(policy=metered(), reservation_seconds=1)
        member = Client(app).sign_up()
        service = Client(app).as_key(make_service_key(app, "verify"))
        bodies = [
            {"reservation_id": reserve(member.key_client), "use": {"tokens": 1}} for _ in range(2)
        ]
        clock.shift(0.999)
        ok(service.post(PATH, bodies[0]))
        clock.shift(0.001)
        error(service.post(PATH, bodies[1]), 409, "CONFLICT")
        # What was settled in time is told again.
        ok(service.post(PATH, bodies[0]))


class TestRefuses:
    def test_another_amount_after_the_first(self, caller: Client, service: Client) -> None:
        body = {"reservation_id": reserve(caller), "use": {"tokens": 812}}
        ok(service.post(PATH, body))
        for use in ({"tokens": 813}, {}):
            error(service.post(PATH, {**body, "use": use}), 409, "CONFLICT")
        assert left(authorize(caller))["key-tokens-total"] == 5000 - 812

    def test_a_meter_that_was_not_reserved(self, caller: Client, service: Client) -> None:
        reservation_id = reserve(caller)
        told = "Nothing was reserved of this meter"
        # Of the last ones a store could read others, if it was told of them.
        names = (
            "pages",
            "requests",
            "gold",
            "",
            " ",
            "\0",
            "\ud800",
            "tokens ",
            "tokens 7\ntokens",
        )
        for meter in names:
            answer = service.post(PATH, {"reservation_id": reservation_id, "use": {meter: 1}})
            assert issues(answer) == {("use", meter): told}
        use = {"tokens": 1, "pages": 2, "gold": 0}
        answer = service.post(PATH, {"reservation_id": reservation_id, "use": use})
        assert issues(answer) == {("use", "pages"): told, ("use", "gold"): told}
        assert left(authorize(caller))["key-tokens-total"] == 1000

    @for_each(
        "reservation_id",
        ["", "x", "rsv_", "rsv_" + "A" * 43, "rsv_" + "A" * 60, "rsv_ä", "key_01h455vb4pex5vsk"],
    )
    def test_one_that_was_never_made(self, service: Client, reservation_id: str) -> None:
        answer = service.post(PATH, {"reservation_id": reservation_id, "use": {}})
        error(answer, 404, "NOT_FOUND")

    def test_one_of_a_store_that_was_lost(
        self, caller: Client, make_app: Callable[..., Flask]
    ) -> None:
        reservation_id = reserve(caller)
        other_host = make_app(policy=metered())
        service = Client(other_host).as_key(make_service_key(other_host, "verify"))
        answer = service.post(PATH, {"reservation_id": reservation_id, "use": {"tokens": 1}})
        error(answer, 404, "NOT_FOUND")

    def test_one_that_was_changed_by_a_character(self, caller: Client, service: Client) -> None:
        reservation_id = reserve(caller)
        for place in (5, 30, len(reservation_id) - 1):
            other = "A" if reservation_id[place] != "A" else "B"
            changed = reservation_id[:place] + other + reservation_id[place + 1 :]
            answer = service.post(PATH, {"reservation_id": changed, "use": {}})
            error(answer, 404, "NOT_FOUND")

    @for_each(
        ("body", "faults"),
        [
            ({}, {("reservation_id",): "Required", ("use",): "Required"}),
            (
                {"reservation_id": 1, "use": []},
                {
                    ("reservation_id",): "Not a string",
                    ("use",): "Must be an object of amounts by meter",
                },
            ),
            (
                {"reservation_id": "x" * 201, "use": {"tokens": -1, "pages": "2"}, "x": 1},
                {
                    ("reservation_id",): "Must be at most 200 characters long",
                    ("use", "tokens"): "Must be between 0 and 1000000000000",
                    ("use", "pages"): "Must be a whole number",
                    ("x",): "Unknown field",
                },
            ),
            (
                {"reservation_id": None, "use": None},
                {("reservation_id",): "May not be null", ("use",): "May not be null"},
            ),
        ],
    )
    def test_what_does_not_fit(
        self, service: Client, body: object, faults: dict[tuple[str, ...], str]
    ) -> None:
        assert issues(service.post(PATH, body)) == faults


def test_a_meter_that_the_policy_no_longer_has_is_settled(
    member: Member, make_app: Callable[..., Flask]
) -> None:
    reservation_id = reserve(member.key_client)
    runtime = runtime_of(member.client.app)
    runtime.close()
    instance = runtime.settings.instance_dir
    later = make_app(instance_dir=instance)
    service = Client(later).as_key(make_service_key(later, "verify"))
    body = {"reservation_id": reservation_id, "use": {"tokens": 1}}
    assert ok(service.post(PATH, body))["released"] == {"tokens": 3999}


def test_what_can_be_no_meter_settles_nothing_in_either_store(
    make_app: Callable[..., Flask],
) -> None:
    with start_redis() as server:
        for url in (None, server.url):
            member = Client(make_app(policy=metered(), redis_url=url)).sign_up()
            app = member.client.app
            service = Client(app).as_key(make_service_key(app, "verify"))
            body = {"reservation_id": reserve(member.key_client)}
            for meter in ("", " ", "x tokens", "x 5\ntokens", "tokens\0", "\ud800"):
                answer = service.post(PATH, {**body, "use": {meter: 1}})
                assert issues(answer) == {("use", meter): "Nothing was reserved of this meter"}
            assert ok(service.post(PATH, {**body, "use": {"tokens": 2}}))["used"] == {"tokens": 2}


def test_it_asks_for_a_services_key_with_the_scope(member: Member) -> None:
    client = Client(member.client.app)
    error(client.post(PATH, {}), 401, "AUTHENTICATION_ERROR", "missing")
    error(member.key_client.post(PATH, {}), 401, "AUTHENTICATION_ERROR", "wrong_credential_type")
    other = client.as_key(make_service_key(client.app, "accounts"))
    error(other.post(PATH, {}), 403, "AUTHORIZATION_ERROR", "insufficient_scope")
