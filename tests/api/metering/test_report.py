"""POST /api/v1/usage/report: use that is known only afterwards, each event once."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from flask import Flask

from tests.api.metering.asking import authorize, key_with, left, limit
from tests.cases import for_each
from tests.clients import Client, Member, error, issues, ok
from tests.factories.api_keys import make_service_key
from tests.factories.policies import metered

PATH = "/api/v1/usage/report"
DAY = 86_400


def key_id_of(caller: Client) -> str:
    held: str = ok(caller.get("/api/v1/me"))["key"]["id"]
    return held


def report(service: Client, *events: Any) -> Any:
    return ok(service.post(PATH, {"events": [*events]}))


def event(key_id: str, name: str = "job-1", tokens: int = 100, **further: Any) -> dict[str, Any]:
    return {"id": name, "key_id": key_id, "use": {"tokens": tokens}, **further}


@pytest.fixture
def caller(member: Member) -> Client:
    return key_with(
        member, *(limit("tokens", window, 1000) for window in ("day", "month", "total"))
    )


@pytest.fixture
def key_id(caller: Client) -> str:
    return key_id_of(caller)


class TestSucceeds:
    @pytest.mark.both_databases
    def test_each_event_counts_once(self, caller: Client, key_id: str, service: Client) -> None:
        events = [event(key_id, "a"), event(key_id, "b"), event(key_id, "a", 900)]
        assert report(service, *events) == {"accepted": 2, "known": 1, "rejected": []}
        assert report(service, *events) == {"accepted": 0, "known": 3, "rejected": []}
        assert left(authorize(caller))["key-tokens-total"] == 800

    def test_it_counts_past_a_limit_and_the_next_check_is_refused(
        self, caller: Client, key_id: str, service: Client
    ) -> None:
        for tokens, status in ((1000, 200), (1, 429)):
            answer = report(service, event(key_id, f"job-{tokens}", tokens))
            assert answer["accepted"] == 1
            assert authorize(caller).status_code == status

    def test_it_counts_in_the_calendar_of_its_own_time(
        self, caller: Client, key_id: str, service: Client, clock: time_machine.Traveller
    ) -> None:
        # It is the first of March, and the event of the last of February.
        clock.shift(19 * DAY)
        assert left(authorize(caller))["key-tokens-month"] == 1000
        report(service, event(key_id, at="2027-02-28T23:59:59Z"))
        told = left(authorize(caller))
        assert told["key-tokens-day"] == told["key-tokens-month"] == 1000
        assert told["key-tokens-total"] == 900
        report(service, event(key_id, "today", at="2027-03-01T01:00:00+01:00"))
        told = left(authorize(caller))
        assert (told["key-tokens-day"], told["key-tokens-month"]) == (900, 900)

    def test_it_counts_in_shorter_windows_that_were_open_then(
        self, member: Member, service: Client, clock: time_machine.Traveller
    ) -> None:
        caller = key_with(member, limit("tokens", "hour", 1000))
        key_id = key_id_of(caller)
        report(service, event(key_id, "before"))
        assert left(authorize(caller, "use=tokens:1"))["key-tokens-hour"] == 999
        clock.shift(60)
        report(service, event(key_id, "while", at="2027-02-10T12:00:30Z"))
        report(service, event(key_id, "earlier", at="2027-02-10T11:59:59Z"))
        assert left(authorize(caller))["key-tokens-hour"] == 899

    def test_the_accounts_limits_count_it_too(
        self, make_app: Callable[..., Flask], clock: time_machine.Traveller
    ) -> None:
        app = make_app(policy=metered(others="tokens = { day = 150 }, pages = { total = 1 }"))
        member = Client(app).sign_up()
        service = Client(app).as_key(make_service_key(app, "verify"))
        one, other = (key_id_of(key_with(member)) for _ in range(2))
        use = {"tokens": 100, "pages": 1}
        events = [
            {"id": name, "key_id": key, "use": use} for name, key in (("a", one), ("b", other))
        ]
        assert report(service, *events)["accepted"] == 2
        refused = authorize(member.key_client)
        details = error(refused, 429, "USAGE_LIMIT_EXCEEDED")
        assert (details["limit"], details["of"]) == ("pages_total", "account")
        assert left(refused)["tokens-day"] == 0

    def test_keys_that_are_dead_count_too(
        self, member: Member, service: Client, clock: time_machine.Traveller
    ) -> None:
        expired = member.create_key(expires_at="2027-02-10T12:00:30Z")
        revoked = member.create_key()
        ok(member.client.delete(f"/api/auth/api-keys/{revoked['id']}"), 204)
        clock.shift(31)
        events = [event(key["id"], key["id"]) for key in (expired, revoked)]
        assert report(service, *events)["accepted"] == 2

    def test_a_named_limit_is_not_touched(self, member: Member, service: Client) -> None:
        caller = key_with(member, limit("tokens", "day", 50, name="chat", applies="named"))
        report(service, event(key_id_of(caller)))
        assert left(authorize(caller, "limit=chat"))["key-chat"] == 50

    def test_an_id_is_the_accounts_own(self, member: Member, service: Client) -> None:
        stranger = Client(member.client.app).sign_up()
        keys = [key_id_of(one.key_client) for one in (member, stranger)]
        assert report(service, *(event(key) for key in keys))["accepted"] == 2


class TestRejects:
    def test_each_event_alone_with_its_reason(
        self, caller: Client, key_id: str, service: Client
    ) -> None:
        unknown = "key_01h455vb4pex5vsknk084sn02q"
        service_key = key_id_of(service)
        events = [
            "x",
            event(unknown, "unknown"),
            event("nonsense", "no key"),
            event(service_key, "a service's"),
            event(key_id, "good"),
            {**event(key_id, "gold"), "use": {"gold": 1}},
            {**event(key_id, "requests"), "use": {"tokens": 1, "requests": 1}},
            event(key_id, "old", at="2027-02-08T11:59:59Z"),
            event(key_id, "just in time", at="2027-02-08T12:00:00Z"),
            event(key_id, "ahead", at="2027-02-10T12:01:00Z"),
            event(key_id, "clocks differ", at="2027-02-10T12:00:09Z"),
            {**event(key_id, "negative"), "use": {"tokens": -1}},
        ]
        assert report(service, *events) == {
            "accepted": 3,
            "known": 0,
            "rejected": [
                {"id": None, "reason": "malformed"},
                {"id": "unknown", "reason": "unknown_key"},
                {"id": "no key", "reason": "unknown_key"},
                {"id": "a service's", "reason": "unknown_key"},
                {"id": "gold", "reason": "unknown_meter"},
                {"id": "requests", "reason": "unknown_meter"},
                {"id": "old", "reason": "too_old"},
                {"id": "ahead", "reason": "in_future"},
                {"id": "negative", "reason": "malformed"},
            ],
        }
        assert left(authorize(caller))["key-tokens-total"] == 700

    @for_each(
        ("change", "told"),
        [
            *(({"id": value}, None) for value in (None, "", "x" * 129, 5, "a\0", "\ud800")),
            *(({"key_id": value}, "job-1") for value in (None, 5)),
            *(
                ({"use": value}, "job-1")
                for value in (None, [], "tokens:1", {"tokens": "1"}, {"tokens": 1.5})
            ),
            *(({"at": value}, "job-1") for value in (5, "yesterday", "2027-02-10 12:00", "")),
            ({"colour": 1}, "job-1"),
        ],
    )
    def test_what_is_malformed(
        self, key_id: str, service: Client, change: dict[str, Any], told: str | None
    ) -> None:
        good = event(key_id, f"beside {change!r:.90}")
        answer = report(service, {**event(key_id), **change}, good)
        assert answer["rejected"] == [{"id": told, "reason": "malformed"}]
        assert answer["accepted"] == 1

    @for_each("missing", ["id", "key_id", "use"])
    def test_what_lacks_a_field(self, key_id: str, service: Client, missing: str) -> None:
        one = event(key_id)
        del one[missing]
        [rejected] = report(service, one)["rejected"]
        assert rejected["reason"] == "malformed"

    def test_a_null_time_is_now(self, key_id: str, service: Client) -> None:
        assert report(service, event(key_id, at=None))["accepted"] == 1

    @for_each(
        ("body", "faults"),
        [
            ({}, {("events",): "Required"}),
            ({"events": None}, {("events",): "May not be null"}),
            ({"events": {}}, {("events",): "Not a list"}),
            ({"events": []}, {("events",): "Must have 1 to 1000 entries"}),
            ({"events": [{}] * 1001}, {("events",): "Must have 1 to 1000 entries"}),
            ({"events": [{}], "x": 1}, {("x",): "Unknown field"}),
        ],
    )
    def test_what_is_no_report(
        self, service: Client, body: object, faults: dict[tuple[str, ...], str]
    ) -> None:
        assert issues(service.post(PATH, body)) == faults

    def test_it_asks_for_a_services_key_with_the_scope(self, member: Member) -> None:
        client = Client(member.client.app)
        error(client.post(PATH, {}), 401, "AUTHENTICATION_ERROR", "missing")
        error(
            member.key_client.post(PATH, {}), 401, "AUTHENTICATION_ERROR", "wrong_credential_type"
        )
        other = client.as_key(make_service_key(client.app, "usage"))
        error(other.post(PATH, {}), 403, "AUTHORIZATION_ERROR", "insufficient_scope")


class TestSize:
    def test_a_thousand_events_and_256_kib_are_taken(self, key_id: str, service: Client) -> None:
        events = [event(key_id, f"{number:0>128}", 0) for number in range(1000)]
        body = json.dumps({"events": events})
        assert 200_000 < len(body) < 256 * 1024
        padded = body + " " * (256 * 1024 - len(body))
        for path in (PATH, f"{PATH}/"):
            answer = service.post(path, data=padded, content_type="application/json")
            assert ok(answer)["rejected"] == []

    def test_more_is_refused_and_other_routes_take_less(self, service: Client) -> None:
        for path, most in ((PATH, 256), ("/api/v1/usage/settle", 64)):
            data = " " * (most * 1024 + 1)
            answer = service.post(path, data=data, content_type="application/json")
            error(answer, 413, "VALIDATION_ERROR")
            assert answer.get_json()["error"]["message"] == (
                f"The request body is larger than {most} KiB"
            )
