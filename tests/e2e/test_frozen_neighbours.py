"""S47: what the service needs is frozen, not gone; it answers in time and is well by itself."""

import fcntl
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service, User, at_once
from tests.servers.frozen import frozen
from tests.servers.redis import RedisServer, start_redis
from tests.waiting import slowness

_PIPE_BYTES = 4096
_IN_TIME_SECONDS = 3.5
_WELL_AGAIN_SECONDS = 2.0
_PATIENCE_SECONDS = 15
_PAUSE_SECONDS = 0.1

_HOLD = """
import fcntl, sys
guard = open(sys.argv[1], "r+b")
fcntl.flock(guard, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


class LogPipe:
    """Standard error of the service: a small pipe, whose reader can stop to read."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        fcntl.fcntl(self._reading, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._parts: list[bytes] = []
        self._may_read = threading.Event()
        self._may_read.set()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while True:
            self._may_read.wait()
            part = os.read(self._reading, _PIPE_BYTES)
            if not part:
                os.close(self._reading)
                return
            self._parts.append(part)

    def lines(self) -> list[str]:
        return b"".join(self._parts).decode().splitlines()

    @contextmanager
    def unread(self) -> Iterator[None]:
        self._may_read.clear()
        try:
            yield
        finally:
            self._may_read.set()

    def close(self) -> None:
        os.close(self.writing)
        self._thread.join(_PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with start_redis() as server:
        yield server


@pytest.fixture(scope="module")
def silent_mail_server() -> Iterator[int]:
    """A port where connections are accepted, by the kernel, and nobody says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def log() -> Iterator[LogPipe]:
    pipe = LogPipe()
    yield pipe
    pipe.close()


@pytest.fixture(scope="module")
def service(
    new_installation: NewInstallation, redis: RedisServer, silent_mail_server: int, log: LogPipe
) -> Iterator[Service]:
    """A service whose mail server is frozen from the start to the end."""
    installation = new_installation("sqlite")
    with installation.serve(
        workers=2,
        log_to=log.writing,
        RAGAUTH_REDIS_URL=redis.url,
        RAGAUTH_MAIL_URL=f"smtp://127.0.0.1:{silent_mail_server}",
    ) as running:
        yield running
        began = time.monotonic()
        assert running.gunicorn.terminate() == 0
        # S35: neither the mail on its way nor the log holds up the end.
        assert time.monotonic() - began < 10 * slowness()


@pytest.fixture(scope="module")
def user(service: Service) -> User:
    return service.sign_up(plan="scale")


def ask(service: Service, user: User, *, count: int = 8) -> list[httpx.Response]:
    """Check a key so many times at once; no answer takes longer than it may."""

    def check() -> httpx.Response:
        began = time.monotonic()
        answer = service.client.get("/api/v1/authorize", headers={"X-API-Key": user.api_key})
        assert time.monotonic() - began < _IN_TIME_SECONDS * slowness()
        return answer

    return at_once([check for _ in range(count)])


def assert_that_it_is_alive(service: Service) -> None:
    """`/healthz` in 100 ms, as often as this machine can: it has other things to do."""
    seconds = []
    for _ in range(9):
        began = time.monotonic()
        assert service.client.get("/healthz").status_code == 200
        seconds.append(time.monotonic() - began)
    assert statistics.median(seconds) < 0.1 * slowness()


@contextmanager
def asking_beside(service: Service, user: User) -> Iterator[list[httpx.Response]]:
    """Checks, again and again, beside what the block does."""
    answers: list[httpx.Response] = []
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.wait(_PAUSE_SECONDS):
            answers.extend(ask(service, user, count=1))

    threads = [threading.Thread(target=go_on) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        is_over.set()
        for thread in threads:
            thread.join(_PATIENCE_SECONDS)


def wait_until(reached: Callable[[], bool], seconds: float = _PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds * slowness()
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_mail_server_that_says_nothing_holds_nothing_up(service: Service, user: User) -> None:
    assert {answer.status_code for answer in ask(service, user)} == {200}
    assert_that_it_is_alive(service)
    assert service.sign_up().data("GET", "/api/auth/me")["email_verified"] is False


def test_a_frozen_redis_is_a_lost_one(service: Service, user: User, redis: RedisServer) -> None:
    """S47 and S32: the host counts alone, at once, and Redis counts again after the thaw."""
    workers = service.gunicorn.worker_pids()
    assert redis_is_there(service)
    with frozen(redis.pid), asking_beside(service, user) as answers:
        assert_that_it_is_alive(service)
        assert {answer.status_code for answer in ask(service, user)} == {200}
        assert not redis_is_there(service)
    assert {answer.status_code for answer in answers} == {200}
    wait_until(lambda: redis_is_there(service), _WELL_AGAIN_SECONDS + 1)
    assert {answer.status_code for answer in ask(service, user)} == {200}
    assert service.gunicorn.worker_pids() == workers


def redis_is_there(service: Service) -> bool:
    """By each of the workers, as far as several answers show it."""
    states = set()
    for _ in range(6):
        body = service.client.get("/readyz").json()
        checks = body["data"]["checks"] if "data" in body else body["error"]["details"]["checks"]
        states.add(checks["redis"])
    return states == {"ok"}


def test_a_process_that_stops_with_the_counter_file_in_its_hands(
    service: Service, user: User, redis: RedisServer
) -> None:
    """S47: 503 in time, at once after the first, and well as soon as the lock is free."""
    folder = Path(service.installation.environment["RAGAUTH_INSTANCE_DIR"])
    [guard] = folder.glob("*-guard")
    workers = service.gunicorn.worker_pids()
    with ExitStack() as stack:
        stack.enter_context(frozen(redis.pid))
        # The host counts alone.
        assert {answer.status_code for answer in ask(service, user)} == {200}
        holder = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", _HOLD, guard],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with frozen(holder.pid), asking_beside(service, user) as answers:
                assert_that_it_is_alive(service)
                wait_until(lambda: len(answers) > 20)
                assert_that_it_is_alive(service)
            refusals = [answer for answer in answers if answer.status_code != 200]
            assert {answer.status_code for answer in answers} == {503}
            for answer in refusals:
                assert answer.json()["error"]["code"] == "EXTERNAL_SERVICE_ERROR"
                assert int(answer.headers["Retry-After"]) >= 1
        finally:
            holder.kill()
        holder.wait(_PATIENCE_SECONDS)
        wait_until(
            lambda: {answer.status_code for answer in ask(service, user)} == {200},
            _WELL_AGAIN_SECONDS,
        )
    assert service.gunicorn.worker_pids() == workers
    wait_until(lambda: redis_is_there(service))


def test_a_log_that_nobody_reads_holds_nothing_up_and_loses_no_line(
    service: Service, user: User, log: LogPipe
) -> None:
    mark = f"unread-{os.getpid()}"
    count = 60
    with log.unread():
        # Many times what the pipe holds.
        statuses = [service.authorize(user.api_key, f"{mark}-{n}") for n in range(count)]
        assert statuses == [200] * count
        assert service.sign_up().data("GET", "/api/auth/me")
        assert_that_it_is_alive(service)
    expected = {f"{mark}-{n}" for n in range(count)}
    wait_until(lambda: expected <= {json.loads(line).get("request_id") for line in log.lines()})
    # Lines of two workers did not mix: each one could be read.
    assert len(log.lines()) > count
