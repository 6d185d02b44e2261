"""Installations that share one Redis do not meet; hosts that share one database do."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import flask_migrate
import pytest
import redis
from flask import Flask

from ragauth.metrics import STANDING_IN
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.usage import save_usage
from tests.applications import make_settings, running_app
from tests.clients import Client, Member, ok
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

NOW = 1_790_000_000_000


@pytest.fixture
def shared(redis_server: RedisServer) -> RedisServer:
    return redis_server


def used_this_month(app: Flask, member: Member) -> int:
    data = ok(Client(app).as_key(member.api_key).get("/api/v1/me"))
    used: int = data["usage"]["this_month"]
    return used


def ask(app: Flask, member: Member) -> None:
    assert Client(app).as_key(member.api_key).get("/api/v1/authorize").status_code == 200


def save(app: Flask) -> int:
    with app.app_context():
        return save_usage(current_limits().counters)


def test_each_counts_and_saves_its_own_and_its_hosts_count_together(
    shared: RedisServer, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    name = f"installation_{uuid4().hex}"
    postgres_server.create_database(name)
    urls = {
        "one": f"sqlite:///{tmp_path}/one.db",
        "one's other host": f"sqlite:///{tmp_path}/one.db",
        "another": postgres_server.url(name),
    }
    with ExitStack() as stack:
        client = stack.enter_context(redis.Redis.from_url(shared.url))
        client.flushall()
        apps = []
        for host, url in urls.items():
            folder = tmp_path / host
            folder.mkdir()
            settings = replace(make_settings(folder, url), redis_url=shared.url)
            apps.append(stack.enter_context(running_app(settings)))
            with apps[-1].app_context():
                flask_migrate.upgrade()
        one, host, another = apps
        member, stranger = Client(one).sign_up(), Client(another).sign_up()
        ask(one, member)
        ask(host, member)
        for _ in range(3):
            ask(another, stranger)
        assert used_this_month(one, member) == used_this_month(host, member) == 2
        assert used_this_month(another, stranger) == 3
        # Each finds one row, that of its own key.
        assert (save(another), save(host), save(one)) == (1, 1, 0)
        owners = {name.split(b":")[1] for name in client.scan_iter("ragauth:*")}
        assert len(owners) == 2
    postgres_server.drop_database(name)


def test_a_database_that_is_away_leaves_the_counting_to_the_host(
    make_app: Callable[..., Flask], shared: RedisServer, tmp_path: Path
) -> None:
    """S32: nothing is counted in Redis before it is known whose it is."""
    app = make_app(database_url=f"sqlite:///{tmp_path}/nowhere/x.db", redis_url=shared.url)
    with redis.Redis.from_url(shared.url) as client, app.app_context():
        client.flushall()
        counters = current_limits().counters
        assert [counters.hit(b"login", 60_000, NOW).count for _ in range(2)] == [1, 2]
        assert client.dbsize() == 0
    STANDING_IN.add(-1)


@pytest.mark.parametrize(
    ("scheme", "who", "state"),
    [
        ("redis", "nobody:a-password@", "refuses the user or the password"),
        ("redis", "", "ok"),
        ("redis+sentinel", "", "refuses what it is asked"),
    ],
)
def test_readyz_says_what_redis_refuses_and_no_password(
    make_app: Callable[..., Flask], shared: RedisServer, scheme: str, who: str, state: str
) -> None:
    url = f"{scheme}://{who}127.0.0.1:{shared.port}/{'tests' if '+' in scheme else 0}"
    app = make_app(redis_url=url)
    # The first finds it out, the second finds the host counting alone.
    for _ in range(2):
        answer = Client(app).get("/readyz").json
        checks = answer["data"]["checks"] if state == "ok" else answer["error"]["details"]["checks"]
        assert checks["redis"] == state
        assert "a-password" not in str(answer)
    if state != "ok":
        STANDING_IN.add(-1)


def test_a_certificate_that_is_not_looked_at_is_warned_of(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(logging.getLogger("ragauth"), "warning", warnings.append)
    make_app(redis_url="rediss://127.0.0.1:1/0")
    assert warnings == []
    make_app(redis_url="rediss://127.0.0.1:1/0?ssl_cert_reqs=none")
    [warning] = warnings
    assert "ssl_cert_reqs=none" in warning
