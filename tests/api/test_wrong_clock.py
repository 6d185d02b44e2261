"""S39: a clock that is stepped while the service runs: nothing lives longer than it may."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import update
from werkzeug.test import TestResponse

from ragauth.background.clock_watch import ClockWatch
from ragauth.extensions import db
from ragauth.models import OutboxRow
from ragauth.services.accounts.password_reset import answer_request
from ragauth.services.mail.sending import send_due_mail
from ragauth.services.operators import wrong_clock
from ragauth.services.operators.wrong_clock import Mended
from tests.clients import PASSWORD, Client, Member, error, ok
from tests.factories.mails import receive_mail
from tests.factories.second_factors import PATH as SECOND_FACTOR
from tests.factories.second_factors import begin_enrolment, enrol, first_step

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)
ME = "/api/auth/me"
REFRESH = "/api/auth/token/refresh"

each_step = pytest.mark.parametrize("step", [HOUR, DAY, YEAR], ids=["hour", "day", "year"])


@pytest.fixture(autouse=True)
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def mend(app: Flask) -> Mended:
    with app.app_context():
        return wrong_clock.mend()


class TestASession:
    @each_step
    def test_of_the_future_is_refused_and_does_not_come_to_life_when_its_time_comes(
        self, app: Flask, client: Client, time: time_machine.Traveller, step: timedelta
    ) -> None:
        """S39"""
        time.shift(step)
        member = client.sign_up()
        ok(member.client.get(ME))
        time.shift(-step)
        # Its signature was seen to be good, and is remembered: that is not all.
        for _ in range(2):
            error(member.client.get(ME), 401, "AUTHENTICATION_ERROR", "invalid")
            refused = client.post(REFRESH, {"refresh_token": member.refresh_token})
            error(refused, 401, "AUTHENTICATION_ERROR", "invalid")
        assert mend(app).sessions == 1
        assert mend(app).sessions == 0
        time.shift(step)
        error(member.client.get(ME), 401, "AUTHENTICATION_ERROR", "revoked")
        refused = client.post(REFRESH, {"refresh_token": member.refresh_token})
        error(refused, 401, "AUTHENTICATION_ERROR", "revoked")

    @each_step
    def test_that_was_carried_on_in_the_future_ends_too(
        self, app: Flask, client: Client, time: time_machine.Traveller, step: timedelta
    ) -> None:
        """S39: its spent token has no grace until then either."""
        member, other = client.sign_up(), client.sign_up()
        time.shift(min(step, timedelta(days=6)))
        ok(client.post(REFRESH, {"refresh_token": member.refresh_token}))
        time.move_to(NOON)
        refused = client.post(REFRESH, {"refresh_token": member.refresh_token})
        error(refused, 401, "AUTHENTICATION_ERROR", "reused")
        error(member.client.get(ME), 401, "AUTHENTICATION_ERROR", "revoked")
        # Its owner logs in again; who did nothing meanwhile goes on.
        ok(client.post("/api/auth/login", {"email": member.email, "password": PASSWORD}))
        ok(other.client.get(ME))
        assert mend(app).sessions == 0

    def test_of_a_host_whose_clock_is_seconds_ahead_is_a_session(
        self, app: Flask, client: Client, time: time_machine.Traveller
    ) -> None:
        time.shift(9)
        member = client.sign_up()
        time.shift(-9)
        ok(member.client.get(ME))
        assert mend(app).sessions == 0

    @each_step
    def test_lasts_no_longer_after_a_step_on_and_back(
        self, client: Client, time: time_machine.Traveller, step: timedelta
    ) -> None:
        member = client.sign_up()
        time.shift(step)
        error(member.client.get(ME), 401, "AUTHENTICATION_ERROR", "expired")
        time.shift(-step)
        ok(member.client.get(ME))
        time.shift(HOUR)
        error(member.client.get(ME), 401, "AUTHENTICATION_ERROR", "expired")


@pytest.mark.both_databases
@each_step
def test_a_replaced_key_works_no_longer_than_its_grace(
    app: Flask, client: Client, time: time_machine.Traveller, step: timedelta
) -> None:
    """S39"""
    member = client.sign_up()
    (key,) = ok(member.client.get("/api/auth/api-keys"))
    # An access token would have expired.
    time.shift(step)
    later = member.client.as_user(client.log_in(member)["token"])
    ok(later.post(f"/api/auth/api-keys/{key['id']}/rotate", {"grace_seconds": 600}), 201)
    time.shift(-step)
    assert mend(app).graces == 1
    assert mend(app).graces == 0
    old = client.as_key(member.api_key)
    ok(old.get("/api/v1/me"))
    time.shift(599)
    ok(old.get("/api/v1/me"))
    time.shift(1)
    error(old.get("/api/v1/me"), 401, "AUTHENTICATION_ERROR", "expired")


@each_step
def test_a_mailed_token_of_the_future_is_none(
    app: Flask, client: Client, time: time_machine.Traveller, step: timedelta
) -> None:
    """S39"""
    time.shift(step)
    client.sign_up()
    (mail,) = receive_mail(app)
    time.shift(-step)
    error(
        client.post("/api/auth/email/verify", {"token": mail.token}),
        401,
        "AUTHENTICATION_ERROR",
        "invalid",
    )
    assert mend(app).tokens == 1


class TestASecondFactor:
    @each_step
    def test_that_was_used_in_the_future_works_now_and_each_code_once(
        self, client: Client, time: time_machine.Traveller, step: timedelta
    ) -> None:
        """S39: its owner is not shut out until that time comes."""
        member = client.sign_up()
        authenticator = enrol(member)
        time.shift(step)
        ok(second_step(client, member, authenticator.code()))
        time.shift(timedelta(minutes=1) - step)
        code = authenticator.code()
        ok(second_step(client, member, code))
        error(second_step(client, member, code), 401, "AUTHENTICATION_ERROR", "invalid")

    def test_that_was_begun_in_the_future_is_not_confirmed(
        self, client: Client, time: time_machine.Traveller
    ) -> None:
        member = client.sign_up()
        time.shift(YEAR)
        later = replace(member, client=client.as_user(client.log_in(member)["token"]))
        authenticator = begin_enrolment(later)
        time.shift(-YEAR)
        refused = member.client.post(f"{SECOND_FACTOR}/confirm", {"code": authenticator.code()})
        error(refused, 404, "NOT_FOUND")


def second_step(client: Client, member: Member, code: str) -> TestResponse:
    return client.post(
        "/api/auth/login/mfa", {"mfa_token": first_step(client, member), "code": code}
    )


@pytest.mark.both_databases
@each_step
def test_mail_that_was_postponed_in_the_future_goes_out(
    app: Flask, client: Client, step: timedelta
) -> None:
    """S39"""
    client.sign_up()
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(
            update(OutboxRow.__table__).values(next_attempt_at=NOON + step, attempts=3)
        )
    with app.app_context():
        assert send_due_mail(answer_reset=answer_request).sent == 1


class TestWatch:
    @pytest.mark.parametrize("direction", ["forward", "back"])
    @each_step
    def test_tells_of_a_step_once_for_all_workers(
        self,
        app: Flask,
        client: Client,
        time: time_machine.Traveller,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        step: timedelta,
        direction: str,
    ) -> None:
        """S39"""
        workers = [ClockWatch(app), ClockWatch(app)]
        # A lease is by process.
        holders = iter(range(100, 200))
        monkeypatch.setattr("os.getpid", lambda: next(holders))
        before = counted(client, direction)
        time.shift(1)
        for worker in workers:
            worker.look()
        assert steps_of(caplog) == []
        signed = step if direction == "forward" else -step
        time.shift(signed)
        for worker in [*workers, *workers]:
            worker.look()
        seconds = signed.total_seconds()
        assert steps_of(caplog) == [f"the clock was stepped by {seconds:+.0f} s"]
        assert counted(client, direction) == before + 1

    def test_ends_what_the_wrong_clock_began(
        self, app: Flask, client: Client, time: time_machine.Traveller
    ) -> None:
        watch = ClockWatch(app)
        time.shift(DAY)
        watch.look()
        member = client.sign_up()
        time.shift(-DAY)
        watch.look()
        time.shift(DAY)
        error(member.client.get(ME), 401, "AUTHENTICATION_ERROR", "revoked")


def steps_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if line.startswith("the clock was stepped")]


def counted(client: Client, direction: str) -> float:
    name = f'ragauth_clock_steps_total{{direction="{direction}"}} '
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name)).removeprefix(name))
