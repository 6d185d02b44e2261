"""`GET /metrics`: what Prometheus reads, in process; see tests/e2e for several workers."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from sqlalchemy import insert

from ragauth import clock, transaction
from ragauth.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    Conflict,
    InvalidCode,
    RagauthError,
)
from ragauth.extensions import db
from ragauth.metrics import STANDING_IN
from ragauth.metrics.series import LIMITS, VERDICTS
from ragauth.models import OutboxRow
from ragauth.security.identifiers import new_uuid
from ragauth.services import audit
from ragauth.services.accounts.hashing_gate import hashing_gate
from ragauth.services.audit import OPERATOR, EventName
from ragauth.web.metrics_page import _head
from tests.architecture.test_errors import _own_errors
from tests.cases import for_each
from tests.clients import PASSWORD, Client, error, ok
from tests.factories.accounts import suspend
from tests.factories.api_keys import make_service_key, mistyped, unknown_key

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


_SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def read(client: Client, **headers: str) -> Values:
    """Every series of a scrape with its value; Prometheus' own parser takes ten times as long."""
    response = client.get("/metrics", headers=headers)
    assert response.status_code == 200
    return parse(response.text)


def parse(page: str) -> Values:
    return {
        (name, frozenset(_LABEL.findall(labels))): float(number)
        for name, labels, number in _SERIES.findall(page)
    }


def value(values: Values, name: str, **labels: str) -> float:
    return values.get((name, frozenset(labels.items())), 0)


class Growth:
    """What a block added to the counts."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._before = read(client)
        self._after: Values | None = None

    def end(self) -> None:
        """Without this each question reads the page again."""
        self._after = read(self._client)

    def of(self, name: str, **labels: str) -> float:
        after = self._after or read(self._client)
        return value(after, name, **labels) - value(self._before, name, **labels)


def wait_in_outbox(app: Flask, *, hours: int) -> None:
    now = clock.now()
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(
            insert(OutboxRow.__table__).values(
                id=new_uuid(),
                template="reset",
                sealed=b"sealed",
                attempts=0,
                next_attempt_at=now,
                expires_at=now + timedelta(days=1),
                created_at=now - timedelta(hours=hours),
            )
        )


class TestForm:
    def test_it_is_the_text_format_for_whoever_asks(self, client: Client) -> None:
        response = client.get("/metrics")
        assert response.status_code == 200
        assert response.content_type == "text/plain; version=0.0.4; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        # What the tests below read is what Prometheus reads.
        theirs = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }
        assert theirs
        assert parse(response.text) == theirs

    def test_it_is_openmetrics_for_who_accepts_that(self, client: Client) -> None:
        accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3"
        response = client.get("/metrics", headers={"Accept": accept})
        assert response.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert response.text.endswith("# EOF\n")
        names = {family.name for family in parse_openmetrics(response.text)}
        assert {"ragauth_requests", "ragauth_check_duration_seconds"} <= names

    @for_each(
        "accept", ["text/plain; version=x", "application/openmetrics-text; version=\xff", "\xff"]
    )
    def test_an_odd_accept_header_changes_nothing(self, client: Client, accept: str) -> None:
        response = client.get("/metrics", headers={"Accept": accept})
        assert response.status_code == 200
        assert "\xff" not in response.content_type

    def test_other_methods_are_answered_in_the_envelope(self, client: Client) -> None:
        error(client.post("/metrics"), 405, "VALIDATION_ERROR")

    def test_it_answers_over_plain_http(self, make_app: Callable[..., Flask]) -> None:
        strict = Client(make_app(require_https=True))
        error(strict.get("/api/auth/me"), 403, "AUTHORIZATION_ERROR", "https_required")
        assert strict.get("/metrics").status_code == 200

    def test_it_says_what_is_running(self, client: Client) -> None:
        builds = [labels for (name, labels) in read(client) if name == "ragauth_build_info"]
        assert len(builds) == 1
        assert dict(builds[0])["version"] == "0.1.0"


class TestRequests:
    def test_they_are_counted_by_route_method_and_status(self, client: Client) -> None:
        member = client.sign_up()
        growth = Growth(client)
        ok(member.client.get("/api/auth/me"))
        ok(member.client.get("/api/auth/me/"))
        error(client.get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "missing")
        me = {"route": "/api/auth/me", "method": "GET"}
        assert growth.of("ragauth_requests_total", **me, status="200") == 2
        assert growth.of("ragauth_requests_total", **me, status="401") == 1
        assert growth.of("ragauth_request_duration_seconds_count", route="/api/auth/me") == 3

    def test_those_of_the_gate_and_those_of_the_application_are_one_series(
        self, client: Client
    ) -> None:
        member = client.sign_up()
        growth = Growth(client)
        assert member.key_client.get("/api/v1/authorize").status_code == 200
        assert member.key_client.get("/api/v1/authorize/any/path").status_code == 200
        error(client.get("/api/v1/authorize/x"), 401, "AUTHENTICATION_ERROR", "missing")
        authorize = {"route": "/api/v1/authorize", "method": "GET"}
        assert growth.of("ragauth_requests_total", **authorize, status="200") == 2
        assert growth.of("ragauth_requests_total", **authorize, status="401") == 1

    def test_nothing_from_outside_makes_a_new_series(self, client: Client) -> None:
        """S29: paths, methods and ids that nobody knows count as one."""
        member = client.sign_up()
        known = set(read(client))
        growth = Growth(client)
        for number in range(30):
            client.get(f"/nowhere/{number}")
            client.request(f"VERB{number}", f"/api/auth/{number}")
            member.client.get(f"/api/auth/api-keys/{number}")
            member.key_client.request(f"M{number}", "/api/v1/authorize")
        new = {dict(labels).get("route", name) for name, labels in set(read(client)) - known}
        assert new <= {"unmatched", "/api/auth/api-keys/<key_id>", "/api/v1/authorize", "/metrics"}
        assert growth.of("ragauth_request_duration_seconds_count", route="unmatched") == 60
        key = {"route": "/api/auth/api-keys/<key_id>", "method": "GET", "status": "400"}
        assert growth.of("ragauth_requests_total", **key) == 30

    def test_every_route_is_told_by_name(self, app: Flask, client: Client) -> None:
        for rule in app.url_map.iter_rules():
            for method in rule.methods or ():
                client.request(method, re.sub("<[^>]*>", "x", rule.rule))
        told = {dict(labels).get("route") for _, labels in read(client)}
        routes = {rule.rule for rule in app.url_map.iter_rules()}
        assert {route for route in routes if "authorize/" not in route} <= told

    def test_no_secret_stands_in_it(self, client: Client) -> None:
        """S27"""
        member = client.sign_up()
        client.get(f"/{member.api_key}", headers={"X-API-Key": member.api_key})
        member.key_client.get(f"/api/v1/authorize/{member.token}")
        page = client.get("/metrics").text
        for secret in (member.api_key, member.token, member.id, member.email, PASSWORD):
            assert secret not in page
        assert re.search(r"rag_live_|eyJ", page) is None


class TestChecks:
    def test_their_time_is_told_by_verdict(self, client: Client) -> None:
        member = client.sign_up()
        suspended = client.sign_up()
        suspend(suspended)
        bound = member.create_key(scopes=["query"])["api_key"]
        revoked = member.create_key()
        ok(member.client.delete(f"/api/auth/api-keys/{revoked['id']}"), 204)
        asked = {
            "allowed": ("", member.api_key),
            "invalid": ("", unknown_key()),
            "malformed": ("", mistyped(member.api_key)),
            "revoked": ("", revoked["api_key"]),
            "account_suspended": ("", suspended.api_key),
            "insufficient_scope": ("?scope=manage", bound),
            "wrong_agent": ("?agent_id=agt_01h455vb4pex5vsknk084sn02q", member.api_key),
        }
        growth = Growth(client)
        for query, key in asked.values():
            client.as_key(key).get(f"/api/v1/authorize{query}")
        growth.end()
        for verdict in asked:
            assert growth.of("ragauth_check_duration_seconds_count", verdict=verdict) == 1, verdict
            le = {"le": "+Inf", "verdict": verdict}
            assert growth.of("ragauth_check_duration_seconds_bucket", **le) == 1
            assert growth.of("ragauth_check_duration_seconds_sum", verdict=verdict) > 0

    def test_a_verify_counts_the_key_that_it_asks_about(self, client: Client) -> None:
        member = client.sign_up()
        service = client.as_key(make_service_key(client.app, "verify"))
        growth = Growth(client)
        ok(service.post("/api/v1/keys/verify", {"key": member.api_key}))
        ok(service.post("/api/v1/keys/verify", {"key": "\u00e4"}))
        assert growth.of("ragauth_check_duration_seconds_count", verdict="allowed") == 1
        assert growth.of("ragauth_check_duration_seconds_count", verdict="malformed") == 1

    def test_reading_without_counting_is_no_check(self, client: Client) -> None:
        member = client.sign_up()
        growth = Growth(client)
        ok(member.key_client.get("/api/v1/me"))
        assert growth.of("ragauth_check_duration_seconds_count", verdict="allowed") == 0

    def test_every_reason_of_the_contract_is_a_verdict(self) -> None:
        reasons = {
            error.reason
            for error in _own_errors()
            if issubclass(error, AuthenticationFailed | AuthorizationFailed) and error.reason
        }
        assert len(reasons) > 10
        assert reasons <= set(VERDICTS)


class TestLimits:
    def test_what_refused_is_counted(self, client: Client) -> None:
        member = client.sign_up()
        growth = Growth(client)
        with time_machine.travel("2031-02-03T04:05:06Z", tick=False):
            for _ in range(62):
                member.key_client.get("/api/v1/authorize")
        with time_machine.travel("2031-02-03T05:05:06Z", tick=False):
            member.key_client.get("/api/v1/authorize?cost=1000")
        assert growth.of("ragauth_limit_hits_total", limit="requests_per_minute") == 2
        assert growth.of("ragauth_limit_hits_total", limit="requests_per_month") == 1
        checks = "ragauth_check_duration_seconds_count"
        assert growth.of(checks, verdict="rate_limit_exceeded") == 2
        assert growth.of(checks, verdict="usage_limit_exceeded") == 1

    def test_a_plan_without_room_is_counted(self, client: Client) -> None:
        member = client.sign_up()
        growth = Growth(client)
        for _ in range(5):
            member.client.post("/api/auth/api-keys", {"name": "one more"})
        for _ in range(3):
            member.client.post("/api/agents", {"name": "one more"})
        assert growth.of("ragauth_limit_hits_total", limit="max_keys") == 1
        assert growth.of("ragauth_limit_hits_total", limit="max_agents") == 1

    def test_every_limit_is_told_before_it_was_ever_hit(self, client: Client) -> None:
        told = {
            dict(labels)["limit"] for name, labels in read(client) if "limit_hits_total" in name
        }
        assert told == set(LIMITS)


class TestEvents:
    def test_logins_that_fail_are_counted(self, client: Client) -> None:
        member = client.sign_up()
        growth = Growth(client)
        client.post("/api/auth/login", {"email": member.email, "password": "a wrong password"})
        client.log_in(member)
        assert growth.of("ragauth_events_total", event="account:login_failed") == 1
        assert growth.of("ragauth_events_total", event="account:login_succeeded") == 1

    @for_each(("failure", "counted"), [(Conflict, 0), (InvalidCode, 1)])
    def test_only_what_was_committed_is_counted(
        self, client: Client, failure: type[RagauthError], counted: int
    ) -> None:
        growth = Growth(client)

        def record_and_fail() -> None:
            with client.app.app_context(), transaction.unit_of_work():
                audit.record(EventName.KEY_CREATED, account_id=None, client=OPERATOR)
                raise failure

        with pytest.raises(failure):
            record_and_fail()
        assert growth.of("ragauth_events_total", event="api_key:created") == counted


class TestHashing:
    def test_time_and_refusals_are_told(self, client: Client) -> None:
        member = client.sign_up()
        growth = Growth(client)
        client.log_in(member)
        assert growth.of("ragauth_hashing_duration_seconds_count") == 1
        # All places are taken, by nobody in particular.
        hashing_gate._taken = hashing_gate.places
        try:
            body = {"email": member.email, "password": PASSWORD}
            error(client.post("/api/auth/login", body), 429, "RATE_LIMIT_EXCEEDED")
            signup = {"email": "new@example.com", "password": PASSWORD}
            error(client.post("/api/auth/signup", signup), 429, "RATE_LIMIT_EXCEEDED")
        finally:
            hashing_gate._taken = 0
        assert growth.of("ragauth_hashing_refused_total") == 2
        values = read(client)
        assert value(values, "ragauth_hashing_places_taken") == 0
        assert value(values, "ragauth_hashing_places") == hashing_gate.places


@pytest.mark.both_databases
class TestOutbox:
    def test_its_depth_and_its_oldest_mail_are_told(self, app: Flask, client: Client) -> None:
        empty = read(client)
        assert value(empty, "ragauth_outbox_mails") == 0
        assert value(empty, "ragauth_outbox_oldest_seconds") == 0
        wait_in_outbox(app, hours=1)
        wait_in_outbox(app, hours=3)
        values = read(client)
        assert value(values, "ragauth_outbox_mails") == 2
        assert 10_800 <= value(values, "ragauth_outbox_oldest_seconds") < 10_860


@pytest.mark.both_databases
class TestWithoutADatabase:
    def test_the_scrape_says_so_and_succeeds(
        self, make_app: Callable[..., Flask], database: str
    ) -> None:
        """S31"""
        url = (
            "sqlite:////nowhere/ragauth.db"
            if database == "sqlite"
            else "postgresql://nobody@127.0.0.1:1/nothing"
        )
        gone = Client(make_app(database_url=url))
        growth = Growth(gone)
        error(
            gone.post("/api/auth/login", {"email": "a@example.com", "password": PASSWORD}),
            503,
            "EXTERNAL_SERVICE_ERROR",
        )
        errors_of_one = growth.of("ragauth_database_errors_total")
        assert errors_of_one >= 1
        gone.as_key(unknown_key()).get("/api/v1/authorize")
        assert growth.of("ragauth_database_errors_total") > errors_of_one
        assert growth.of("ragauth_check_duration_seconds_count", verdict="unavailable") == 1
        values = read(gone)
        assert value(values, "ragauth_database_up") == 0
        assert not any(name.startswith("ragauth_outbox") for name, _ in values)
        assert value(values, "ragauth_counters_up") == 1

    def test_a_database_that_is_there_is_up(self, client: Client) -> None:
        growth = Growth(client)
        client.sign_up(email="twice@example.com")
        body = {"email": "twice@example.com", "password": PASSWORD}
        error(client.post("/api/auth/signup", body), 409, "CONFLICT")
        assert value(read(client), "ragauth_database_up") == 1
        assert growth.of("ragauth_database_errors_total") == 0


class TestWithoutRedis:
    def test_it_is_told_by_name_only_where_there_should_be_one(
        self, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        """S32"""
        assert not any(name == "ragauth_redis_up" for name, _ in read(client))
        member = client.sign_up()
        growth = Growth(client)
        alone = Client(make_app(redis_url="redis://127.0.0.1:1/0"))
        assert alone.as_key(member.api_key).get("/api/v1/authorize").status_code == 200
        values = read(alone)
        assert value(values, "ragauth_redis_up") == 0
        assert growth.of("ragauth_redis_lost_total") == 1
        assert growth.of("ragauth_redis_standing_in_workers") == 1
        # As when a worker ends: its gauges go with it.
        STANDING_IN.add(-growth.of("ragauth_redis_standing_in_workers"))


def test_processor_time_and_memory_are_told(client: Client) -> None:
    values = read(client)
    assert value(values, "process_cpu_seconds_total") > 0
    assert value(values, "process_resident_memory_bytes") > 1_000_000
    assert value(values, "process_open_fds") > 3
    assert value(values, "process_start_time_seconds") > 1_000_000_000


def test_the_page_is_written_as_prometheus_own_library_writes_it(client: Client) -> None:
    plain = client.get("/metrics").get_data(as_text=True)
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    opened = client.get("/metrics", headers=accept).get_data(as_text=True)

    parsed = list(text_string_to_metric_families(plain))
    assert generate_latest(_registry(parsed)).decode() == plain
    parsed = list(parse_openmetrics(opened))
    assert generate_openmetrics(_registry(parsed)).decode() == opened


def test_a_label_may_have_any_text() -> None:
    text = 'a "quoted" \\ text\nof two lines'
    page = f"# TYPE some gauge\n{_head('some', ('label',), (text,))} 1\n"

    [family] = text_string_to_metric_families(page)

    assert family.samples[0].labels == {"label": text}


def _registry(families: list[Metric]) -> CollectorRegistry:
    class Page(Collector):
        def collect(self) -> list[Metric]:
            return families

    registry = CollectorRegistry()
    registry.register(Page())
    return registry
