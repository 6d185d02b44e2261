"""`Idempotency-Key`: a POST of a service that is sent again makes one thing (S51)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from ragauth import clock
from ragauth.extensions import db
from ragauth.models import ApiKey, Event, IdempotentCall
from tests.api.internal.idempotency.things import THINGS, add_things
from tests.cases import for_each
from tests.clients import Client, Member, error, issues, ok
from tests.factories.api_keys import make_service_key
from tests.runtime import runtime_of

BODY = {"name": "Made once"}
NAME = "3f6c0a52-made-once"


def call(
    service: Client, member: Member, kind: str = "keys", name: str = NAME, body: Any = None
) -> TestResponse:
    body = BODY if body is None and kind == "keys" else body
    return service.post(f"{THINGS}/{member.id}/{kind}", body, headers={"Idempotency-Key": name})


def count(app: Flask, table: type[Any]) -> int:
    with app.app_context(), db.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


class TestARepetition:
    @pytest.mark.both_databases
    def test_is_answered_as_the_first_call_to_the_byte_and_makes_nothing(
        self, app: Flask, service: Client, member: Member
    ) -> None:
        """S51: the raw key included; only the request id is new."""
        first = call(service, member)
        raw_key = ok(first, 201)["api_key"]
        keys = count(app, ApiKey)
        again = call(service, member)
        assert (again.status_code, again.data) == (201, first.data)
        assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
        assert again.headers["Cache-Control"] == "no-store"
        assert again.content_type == first.content_type
        assert count(app, ApiKey) == keys
        ok(Client(app).as_key(raw_key).get("/api/v1/me"))

    def test_of_an_answer_without_a_body_has_none(self, service: Client, member: Member) -> None:
        for _ in range(2):
            ok(call(service, member, "bodiless"), 204)
        assert len(ok(member.client.get("/api/agents"))) == 1

    def test_counts_with_a_trailing_slash_too(self, service: Client, member: Member) -> None:
        first = call(service, member)
        assert call(service, member, "keys/", body=BODY).data == first.data

    @pytest.mark.both_databases
    def test_with_another_body_is_a_conflict_and_changes_nothing(
        self, app: Flask, service: Client, member: Member
    ) -> None:
        first = call(service, member)
        for other in ({"name": "Another"}, {**BODY, "kind": "secret"}, {}, {"name": 5}):
            error(call(service, member, body=other), 409, "CONFLICT")
        assert call(service, member).data == first.data

    def test_after_a_day_is_a_new_call(self, app: Flask, service: Client, member: Member) -> None:
        first = ok(call(service, member), 201)
        for hours, is_known in ((23.9, True), (24.1, False)):
            with time_machine.travel(clock.now() + timedelta(hours=hours), tick=False):
                later = ok(call(service, member), 201)
                assert (later["api_key"] == first["api_key"]) is is_known
        assert count(app, IdempotentCall) == 1

    def test_is_told_even_if_the_body_would_be_refused_by_now(
        self, service: Client, member: Member
    ) -> None:
        body = {"name": "Short", "expires_at": (clock.now() + timedelta(hours=1)).isoformat()}
        first = call(service, member, body=body)
        assert first.status_code == 201
        with time_machine.travel(clock.now() + timedelta(hours=2), tick=False):
            assert call(service, member, body=body).data == first.data

    def test_is_told_after_a_rotation_of_the_servers_secret(
        self, service: Client, member: Member, make_app: Callable[..., Flask]
    ) -> None:
        first = call(service, member)
        new = b"another secret, which is long enough too"
        old = runtime_of(service.app).settings.secret_key
        rotated = add_things(make_app(secret_key=new, old_secret_keys=(old,)))
        assert call(Client(rotated, service.headers), member).data == first.data
        # And the other way: in a rolling restart both kinds of processes answer.
        by_new = call(Client(rotated, service.headers), member, name="another")
        both = add_things(make_app(old_secret_keys=(new,)))
        assert call(Client(both, service.headers), member, name="another").data == by_new.data

    def test_is_not_made_anew_where_its_secret_is_lost(
        self, app: Flask, service: Client, member: Member, make_app: Callable[..., Flask]
    ) -> None:
        call(service, member)
        keys = count(app, ApiKey)
        other = add_things(make_app(secret_key=b"a secret that knows nothing of the other"))
        response = call(Client(other, service.headers), member)
        error(response, 503, "EXTERNAL_SERVICE_ERROR")
        assert count(app, ApiKey) == keys


class TestOtherCalls:
    def test_another_name_path_key_or_none_makes_another_thing(
        self, client: Client, service: Client, member: Member
    ) -> None:
        other = client.as_key(make_service_key(client.app, "accounts"))
        path = f"{THINGS}/{member.id}/keys"
        made = [
            ok(call(service, member), 201)["id"],
            ok(call(service, member, name="another"), 201)["id"],
            ok(call(other, member), 201)["id"],
            ok(call(service, client.sign_up()), 201)["id"],
            ok(service.post(path, BODY), 201)["id"],
        ]
        assert len(set(made)) == len(made)

    def test_a_route_of_the_dashboard_does_not_heed_it(self, member: Member) -> None:
        for _ in range(2):
            named = {"Idempotency-Key": ""}
            ok(member.client.post("/api/auth/api-keys", BODY, headers=named), 201)

    @for_each("method", ["GET", "PATCH"])
    def test_another_method_does_not_heed_it(
        self, service: Client, member: Member, method: str
    ) -> None:
        path = f"/api/v1/internal/accounts/{member.id}"
        body = {"json": {}} if method == "PATCH" else {}
        ok(service.request(method, path, headers={"Idempotency-Key": "é"}, **body))


class TestFailures:
    def test_leave_nothing_so_the_call_can_be_corrected(
        self, app: Flask, service: Client, member: Member
    ) -> None:
        assert set(issues(call(service, member, body={"name": ""}))) == {("name",)}
        # What a service refuses within its transaction.
        odd = {**BODY, "allowed_origins": ["https://a.example.com"]}
        assert set(issues(call(service, member, body=odd))) == {("allowed_origins",)}
        assert count(app, IdempotentCall) == 0
        first = call(service, member)
        assert call(service, member).data == first.data
        assert first.status_code == 201

    @pytest.mark.both_databases
    def test_that_keep_what_they_wrote_leave_no_answer(
        self, app: Flask, service: Client, member: Member
    ) -> None:
        events = count(app, Event)
        for kept in (1, 2):
            assert call(service, member, "refused_and_kept").status_code == 401
            assert (count(app, Event), count(app, IdempotentCall)) == (events + kept, 0)

    @for_each("kind", ["broken_after_the_work", "twice", "nothing"])
    def test_a_view_with_a_bug_keeps_neither_its_work_nor_an_answer(
        self, app: Flask, service: Client, member: Member, kind: str
    ) -> None:
        """What is not exactly once is an error at once: two units of work, or none."""
        events = count(app, Event)
        error(call(service, member, kind), 500, "INTERNAL_ERROR")
        assert (count(app, Event), count(app, IdempotentCall)) == (events, 0)


class TestRejectsInput:
    @for_each(
        "name", ["", " ", "\t", "a" * 256, "a\tb", "a\x00b", "a\x7fb", "a\x1b[0m", "naïve", "ключ"]
    )
    def test_what_is_not_1_to_255_printable_characters_is_named(
        self, app: Flask, service: Client, member: Member, name: str
    ) -> None:
        response = service.post(
            f"{THINGS}/{member.id}/keys",
            {"name": "", "odd": 1},
            environ_overrides={"HTTP_IDEMPOTENCY_KEY": name.encode().decode("latin-1")},
        )
        assert set(issues(response)) == {("Idempotency-Key",), ("name",), ("odd",)}
        assert count(app, IdempotentCall) == 0

    @for_each("name", ["a", "a" * 255, "a b", " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~a"])
    def test_what_is_counts_as_it_is(self, service: Client, member: Member, name: str) -> None:
        first = call(service, member, name=name)
        assert first.status_code == 201
        assert call(service, member, name=name).data == first.data

    def test_two_headers_are_one_name_as_a_list_in_one_line_is(
        self, service: Client, member: Member
    ) -> None:
        """RFC 9110 section 5.3: proxies join them, so nothing can tell them apart."""
        twice = {"HTTP_IDEMPOTENCY_KEY": "a,b"}
        path = f"{THINGS}/{member.id}/keys"
        first = service.post(path, BODY, environ_overrides=twice)
        assert service.post(path, BODY, environ_overrides=twice).data == first.data
        assert call(service, member, name="a").data != first.data


class TestRequiresAuthentication:
    def test_an_answer_is_told_only_to_the_live_key_that_got_it(
        self, client: Client, service: Client, member: Member
    ) -> None:
        first = call(service, member)
        error(call(client, member), 401, "AUTHENTICATION_ERROR", "missing")
        weaker = client.as_key(make_service_key(client.app, "usage"))
        error(call(weaker, member), 403, "AUTHORIZATION_ERROR", "insufficient_scope")
        revoked = client.post("/api/v1/keys/revoke", {"key": service.headers["X-API-Key"]})
        ok(revoked, 204)
        error(call(service, member), 401, "AUTHENTICATION_ERROR", "revoked")
        assert first.status_code == 201
