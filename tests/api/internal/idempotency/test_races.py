"""`Idempotency-Key` while several ask at once, or a process is killed: one thing is made (S51)."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from ragauth.extensions import db
from ragauth.models import IdempotentCall
from ragauth.services.keys import api_keys
from ragauth.services.operators import idempotent_calls
from tests.api.internal.idempotency.killed_calls import COMMITTED, PLACES
from tests.api.internal.idempotency.things import THINGS
from tests.api.test_metrics import Growth
from tests.clients import Client, Member, error, ok
from tests.runtime import runtime_of
from tests.servers.commands import ForkedCommand
from tests.servers.gunicorn import PROJECT_ROOT

pytestmark = pytest.mark.both_databases

BODY = {"name": "Made once"}
NAME = "a name of the caller's"
THREADS = 20


def call(
    service: Client, member: Member, name: str = NAME, label: str = BODY["name"]
) -> TestResponse:
    return service.post(
        f"{THINGS}/{member.id}/keys", {"name": label}, headers={"Idempotency-Key": name}
    )


def names_of_keys(member: Member) -> list[str]:
    return [key["name"] for key in ok(member.client.get("/api/auth/api-keys"))]


class Stopped:
    """Stops the first call that is made within its transaction, until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_come, self.may_go = threading.Event(), threading.Event()
        add_key = api_keys.add_key

        def stop_first(**fields: object) -> object:
            if not self.has_come.is_set():
                self.has_come.set()
                assert self.may_go.wait(20)
            return add_key(**fields)  # type: ignore[arg-type]

        monkeypatch.setattr(api_keys, "add_key", stop_first)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stopped]:
    one = Stopped(monkeypatch)
    yield one
    one.may_go.set()


class TestAtOnce:
    @pytest.mark.every_database
    def test_of_twenty_one_makes_it_and_all_get_the_same_bytes(
        self, service: Client, member: Member
    ) -> None:
        """S51."""
        barrier = threading.Barrier(THREADS, timeout=20)

        def ask(_number: int) -> TestResponse:
            barrier.wait()
            return call(service, member)

        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(ask, range(THREADS)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.data for answer in answers}) == 1
        assert names_of_keys(member).count(BODY["name"]) == 1

    def test_the_second_waits_for_the_first(
        self, service: Client, member: Member, stopped: Stopped
    ) -> None:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(call, service, member)
            assert stopped.has_come.wait(20)
            second = pool.submit(call, service, member)
            # Whether it waits already or comes too late to wait, it must have the first's answer.
            stopped.may_go.set()
            assert second.result().data == first.result().data
        assert first.result().status_code == 201
        assert names_of_keys(member).count(BODY["name"]) == 1

    def test_the_second_waits_no_longer_than_it_may(
        self,
        service: Client,
        member: Member,
        stopped: Stopped,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        assert idempotent_calls.LONGEST_WAIT_MS == 3_000
        monkeypatch.setattr(idempotent_calls, "LONGEST_WAIT_MS", 100)
        errors = Growth(service)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(call, service, member)
            assert stopped.has_come.wait(20)
            error(call(service, member), 409, "CONFLICT")
            stopped.may_go.set()
            assert call(service, member).data == first.result().data
        assert errors.of("ragauth_database_errors_total") == 0

    def test_the_second_makes_it_if_the_first_fails(
        self, service: Client, member: Member, stopped: Stopped, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_key, failures = api_keys.add_key, [RuntimeError("a bug")]

        def fail_once(**fields: object) -> object:
            issued = add_key(**fields)  # type: ignore[arg-type]
            if failures:
                raise failures.pop()
            return issued

        monkeypatch.setattr(api_keys, "add_key", fail_once)
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(call, service, member)
            assert stopped.has_come.wait(20)
            second = pool.submit(call, service, member)
            stopped.may_go.set()
            assert sorted([first.result().status_code, second.result().status_code]) == [201, 500]
        assert names_of_keys(member).count(BODY["name"]) == 1


def test_killed_anywhere_it_has_made_the_thing_and_its_answer_or_neither(
    app: Flask, service: Client, member: Member, tmp_path: Path
) -> None:
    """S51: a process ends with SIGKILL, and the caller sends the call again."""
    ok(service.patch(f"/api/v1/internal/accounts/{member.id}", {"plan": "pro"}))
    settings = runtime_of(app).settings
    killed = ForkedCommand(
        "tests.api.internal.idempotency.killed_calls",
        *(settings.database_url, str(tmp_path), service.headers["X-API-Key"], member.id),
        environment={"PATH": os.defpath},
        cwd=PROJECT_ROOT,
    )
    printed, errors = killed.communicate(timeout=60)
    assert printed.splitlines() == [f"{place} killed" for place in PLACES], errors
    made = names_of_keys(member)
    assert {name for name in made if name in PLACES} == COMMITTED
    for place in PLACES:
        raw_key = ok(call(service, member, name=place, label=place), 201)["api_key"]
        assert ok(Client(app).as_key(raw_key).get("/api/v1/me"))["key"]["name"] == place
    assert sorted(name for name in names_of_keys(member) if name in PLACES) == sorted(PLACES)


def test_nothing_of_it_is_stored_in_plain(app: Flask, service: Client, member: Member) -> None:
    """S51, S27: neither the answer's key nor what opens it."""
    raw_key = ok(call(service, member), 201)["api_key"]
    secrets = [raw_key, service.headers["X-API-Key"], NAME]
    with app.app_context(), db.engine.connect() as connection:
        columns = IdempotentCall.__table__.c
        [row] = connection.execute(select(*columns)).all()
        stored = b"".join(part for part in row if isinstance(part, bytes))
        assert [secret for secret in secrets if secret.encode() in stored] == []
        if connection.dialect.name == "sqlite":
            path = Path(runtime_of(app).settings.database_url.removeprefix("sqlite:///"))
            files = [file.read_bytes() for file in path.parent.glob(f"{path.name}*")]
            assert b"idempotent_calls" in b"".join(files)
            assert [one for one in secrets for file in files if one.encode() in file] == []
