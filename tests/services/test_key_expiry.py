"""Expired keys are told of: each once, by one process, whatever the clock does."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
import time_machine
from flask import Flask
from sqlalchemy import insert, select, update

from ragauth import clock
from ragauth.background.expiry import ExpiryWatch
from ragauth.clock import format_time
from ragauth.extensions import db
from ragauth.models import ApiKey, Event, Installation
from ragauth.security.identifiers import KEY, decode_id, new_uuid
from ragauth.services.keys import expiry
from ragauth.services.keys.expiry import tell_of_expired_keys
from tests.clients import Client, Member, error, ok

HOUR = timedelta(hours=1)


@pytest.fixture
def member(app: Flask, client: Client) -> Member:
    """Somebody on an installation that has looked for the first time."""
    assert look(app) == 0
    return client.sign_up()


def look(app: Flask) -> int:
    with app.app_context():
        return tell_of_expired_keys()


def later(delay: timedelta) -> time_machine.travel:
    return time_machine.travel(clock.now() + delay, tick=True)


def told(app: Flask) -> list[str]:
    """The keys of the events, in their order."""
    query = select(Event.details).where(Event.name == "api_key:expired").order_by(Event.id)
    with app.app_context(), db.engine.connect() as connection:
        return [details["key_id"] for details in connection.scalars(query)]


def expiring(member: Member, delay: timedelta = HOUR) -> str:
    made = member.create_key(expires_at=format_time(clock.now() + delay))
    return str(made["id"])


class TestTells:
    @pytest.mark.both_databases
    def test_each_key_once_after_its_end(self, app: Flask, member: Member) -> None:
        first, second = expiring(member), expiring(member, 2 * HOUR)
        with later(HOUR - timedelta(seconds=10)):
            assert look(app) == 0
        with later(HOUR + timedelta(seconds=1)):
            assert (look(app), look(app)) == (1, 0)
        with later(2 * HOUR + timedelta(seconds=1)):
            assert look(app) == 1
        assert told(app) == [first, second]
        [event] = [
            each
            for each in ok(member.client.get("/api/auth/events"))
            if each["details"].get("key_id") == first and each["name"] == "api_key:expired"
        ]
        assert set(event["details"]) == {"key_id", "prefix"}
        assert (event["ip"], event["user_agent"]) == (None, "expiry")

    def test_neither_revoked_keys_nor_those_in_a_grace(self, app: Flask, member: Member) -> None:
        dead, replaced = expiring(member), expiring(member)
        ok(member.client.delete(f"/api/auth/api-keys/{dead}"), 204)
        path = f"/api/auth/api-keys/{replaced}/rotate"
        successor = ok(member.client.post(path, {"grace_seconds": 60}), 201)["id"]
        with later(timedelta(seconds=61)):
            assert look(app) == 0
        with later(HOUR + timedelta(seconds=1)):
            assert look(app) == 1
        assert told(app) == [successor]

    def test_the_first_look_tells_nothing_of_the_past(self, app: Flask, member: Member) -> None:
        expiring(member)
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(update(Installation.__table__).values(expired_until=None))
        with later(2 * HOUR):
            assert (look(app), told(app)) == (0, [])

    @pytest.mark.both_databases
    def test_thousands_of_one_moment_in_batches(
        self, app: Flask, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(expiry, "_BATCH", 10)
        end = (clock.now() + HOUR).replace(microsecond=0)
        ids = _add_keys(app, member, 35, end)
        with later(HOUR + timedelta(seconds=2)):
            assert look(app) == 35
            assert look(app) == 0
        assert len(told(app)) == 35
        assert {decode_id(KEY, each) for each in told(app)} == set(ids)


class TestClocks:
    def test_one_that_was_stepped_back_tells_nothing_twice(
        self, app: Flask, member: Member
    ) -> None:
        key_id = expiring(member)
        with later(30 * HOUR):
            assert look(app) == 1
        assert look(app) == 0
        with later(HOUR / 2):
            assert look(app) == 0
            # Nor does a process that began to look before the step.
            with app.app_context():
                assert expiry._tell_batch() == 0
        with later(31 * HOUR):
            assert look(app) == 0
        assert told(app) == [key_id]


class TestProcesses:
    @pytest.mark.every_database
    def test_of_many_at_once_one_tells(self, app: Flask, member: Member) -> None:
        _add_keys(app, member, 20, clock.now() + HOUR)
        barrier = Barrier(4)

        def look_too(_number: int) -> int:
            barrier.wait()
            return look(app)

        with later(HOUR + timedelta(seconds=1)), ThreadPoolExecutor(4) as threads:
            assert sum(threads.map(look_too, range(4))) == 20
        assert len(set(told(app))) == len(told(app)) == 20

    def test_one_that_has_just_looked_spares_the_others_a_write(
        self, app: Flask, member: Member
    ) -> None:
        with later(timedelta(minutes=1)):
            look(app)
            before = looked_at(app)
            look(app)
            assert looked_at(app) == before

    def test_a_fault_does_not_end_the_work(
        self, app: Flask, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        watch = ExpiryWatch(app)
        key_id = expiring(member)
        with monkeypatch.context() as faulty:
            faulty.setattr(expiry.key_rows, "list_expired", lambda *_, **__: 1 // 0)
            with later(HOUR + timedelta(seconds=1)):
                watch.take_turn()
        assert told(app) == []
        with later(HOUR + timedelta(seconds=20)):
            watch.take_turn()
        assert told(app) == [key_id]


def test_the_check_does_not_wait_for_it(app: Flask, member: Member) -> None:
    made = member.create_key(expires_at=format_time(clock.now() + HOUR))
    with later(HOUR + timedelta(seconds=1)):
        caller = Client(app).as_key(made["api_key"])
        error(caller.get("/api/v1/authorize"), 401, "AUTHENTICATION_ERROR", "expired")


def looked_at(app: Flask) -> object:
    with app.app_context(), db.engine.connect() as connection:
        return connection.scalar(select(Installation.expired_until))


def _add_keys(app: Flask, member: Member, count: int, end: datetime) -> list[object]:
    rows = [
        {
            "id": new_uuid(),
            "kind": "secret",
            "environment": "live",
            "name": "x",
            "prefix": "rag_live_x",
            "is_enabled": True,
            "is_primary": False,
            "is_imported": False,
            "is_managed": False,
            "created_at": clock.now(),
            "account_id": decode_id("acc", member.id),
            "digest": number.to_bytes(32, "big"),
            "expires_at": end,
        }
        for number in range(count)
    ]
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(insert(ApiKey.__table__), rows)
    return [row["id"] for row in rows]
