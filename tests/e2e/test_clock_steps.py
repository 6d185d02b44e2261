"""S39: the clock of a real service is stepped by an hour, a day and a year, both ways."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import PASSWORD, Service
from tests.servers.gunicorn import start_gunicorn
from tests.waiting import slowness

_PATIENCE_SECONDS = 10
_PER_MINUTE = 60
HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400


@dataclass
class Clock:
    """The clock of the service's processes, as if somebody set it."""

    path: Path

    def set_ahead(self, seconds: int) -> None:
        unfinished = self.path.with_suffix(".new")
        unfinished.write_text(f"{seconds:+d}")
        unfinished.replace(self.path)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    clock = Clock(tmp_path_factory.mktemp("clock") / "ahead")
    clock.set_ahead(0)
    return clock


@pytest.fixture(scope="module")
def service(new_installation: NewInstallation, clock: Clock) -> Iterator[Service]:
    installation = new_installation("sqlite")
    environment = {**installation.environment, "AHEAD_FILE": str(clock.path)}
    with (
        start_gunicorn(environment, app="tests.e2e.stepped_clock_wsgi:app") as gunicorn,
        installation.client_of(gunicorn) as running,
    ):
        yield running


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS * slowness()
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def step(service: Service, clock: Clock, ahead: int, seconds: int) -> None:
    """Set the clock, and wait until the log says so, once."""
    line = f"the clock was stepped by {seconds:+d} s"
    before = service.gunicorn.log().count(line)
    clock.set_ahead(ahead)
    until(lambda: service.gunicorn.log().count(line) > before)
    assert service.gunicorn.log().count(line) == before + 1


def warm_up(service: Service) -> None:
    """What watches the clock begins with a worker's first request."""
    pids = set(service.gunicorn.worker_pids())
    seen = set()
    until(
        lambda: (
            service.client.get("/healthz").status_code == 200
            and bool(seen.update(line["pid"] for line in service.request_lines()) or seen >= pids)
        )
    )
    time.sleep(0.2)


@pytest.mark.parametrize("seconds", [HOUR, DAY, YEAR], ids=["hour", "day", "year"])
def test_no_session_and_no_limit_lives_longer_than_it_may(
    service: Service, clock: Clock, seconds: int
) -> None:
    """S39"""
    warm_up(service)
    user = service.sign_up()
    assert service.get("/api/auth/me", user.token) == 200
    step(service, clock, seconds, seconds)
    # Forward: what has expired by that clock is refused, keys are checked.
    assert service.get("/api/auth/me", user.token) == 401
    assert service.authorize(user.api_key) == 200
    there = user.log_in()
    assert service.get("/api/auth/me", there["token"]) == 200
    answers = [service.authorize(user.api_key) for _ in range(_PER_MINUTE)]
    assert answers == [200] * (_PER_MINUTE - 1) + [429]
    step(service, clock, 0, -seconds)
    # Back: what that clock issued is refused, and the limit goes on for a minute at most.
    assert service.get("/api/auth/me", there["token"]) == 401
    refresh = {"refresh_token": there["refresh_token"]}
    assert service.client.post("/api/auth/token/refresh", json=refresh).status_code == 401
    assert service.get("/api/auth/me", user.token) == 200
    limited = service.client.get("/api/v1/authorize", headers={"X-API-Key": user.api_key})
    assert limited.status_code == 429
    assert int(limited.headers["Retry-After"]) <= 60
    login = service.insist("/api/auth/login", {"email": user.email, "password": PASSWORD})
    assert login.status_code == 200
    # Nothing that was counted is lost, nor counted twice.
    days = user.data("GET", "/api/auth/usage?from=2020-01-01&to=2035-01-01")
    assert sum(day["requests"] for day in days) == _PER_MINUTE
    # And it does not come to life when that time comes.
    step(service, clock, seconds, seconds)
    assert service.get("/api/auth/me", there["token"]) == 401
    assert service.client.post("/api/auth/token/refresh", json=refresh).status_code == 401
    step(service, clock, 0, -seconds)
    metrics = service.client.get("/metrics").text
    assert 'ragauth_clock_steps_total{direction="back"}' in metrics
