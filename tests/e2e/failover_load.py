"""Clients that sign up, make keys, revoke and present them while a database takes over."""

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.e2e.service import PASSWORD, Service

_CHECKERS = 3
_WRITERS = 2
# They leave room for what takes over.
_CHECK_PAUSE_SECONDS = 0.02
_WRITE_PAUSE_SECONDS = 0.1
_SECONDS = 30
_KEYS = "/api/auth/api-keys"
_NO_CONTENT, _TOO_MANY, _UNAVAILABLE = 204, 429, 503


@dataclass(slots=True)
class Key:
    """A raw key, and the moments of its life; a moment that was never acknowledged is None."""

    raw: str
    path: str
    token: str
    acknowledged_at: float
    revocation_sent_at: float | None = None
    revoked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One presentation of a key to one of the services."""

    key: Key
    service: int
    began_at: float
    ended_at: float
    status: int

    @property
    def is_of_a_dead_key(self) -> bool:
        return self.key.revoked_at is not None and self.began_at > self.key.revoked_at

    @property
    def is_of_a_live_key(self) -> bool:
        sent_at = self.key.revocation_sent_at
        return sent_at is None or self.ended_at < sent_at


class Load:
    """What several clients did, and what they were told."""

    def __init__(self, services: Sequence[Service]) -> None:
        self.services = services
        self.keys: list[Key] = []
        self.checks: list[Check] = []
        self.emails: list[str] = []
        self.acknowledged_at: list[float] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        self._threads = [
            *(threading.Thread(target=self._check) for _ in range(_CHECKERS)),
            *(threading.Thread(target=self._write) for _ in range(_WRITERS)),
        ]
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(_SECONDS)

    def wait_for(self, *, checks: int, writes: int) -> None:
        """Wait for so many more checks of dead keys, and of others, and acknowledged changes."""
        began_at = time.monotonic()

        def are_enough() -> bool:
            since = self.checks_within(began_at)
            dead = sum(check.is_of_a_dead_key for check in since)
            done = sum(at > began_at for at in list(self.acknowledged_at))
            return min(dead, len(since) - dead) >= checks and done >= writes

        self.wait_until(are_enough)

    def wait_until(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SECONDS
        while not reached():
            assert all(thread.is_alive() for thread in self._threads), "a client gave up"
            assert time.monotonic() < deadline, f"{len(self.checks)} checks"
            time.sleep(0.05)

    def checks_within(self, since: float, until: float = math.inf) -> list[Check]:
        """Those that began and ended within two moments."""
        return [
            check
            for check in list(self.checks)
            if check.began_at > since and check.ended_at < until
        ]

    def back_at(self, service: int, since: float) -> float | None:
        """When a service first accepted a key again that was presented after the moment."""
        moments = (
            check.ended_at
            for check in list(self.checks)
            if check.service == service and check.began_at > since and check.status == 200
        )
        return min(moments, default=None)

    def _check(self) -> None:
        dice = random.Random()
        while not self._stop.wait(_CHECK_PAUSE_SECONDS):
            if not self.keys:
                continue
            # The newest, among which those are that have just died.
            key = dice.choice(self.keys[-20:])
            self.check(key, dice.randrange(len(self.services)))

    def check(self, key: Key, service: int) -> Check:
        began_at = time.monotonic()
        status = self.services[service].authorize(key.raw)
        check = Check(key, service, began_at, time.monotonic(), status)
        with self._lock:
            self.checks.append(check)
        return check

    def _write(self) -> None:
        dice = random.Random()
        while not self._stop.wait(_WRITE_PAUSE_SECONDS):
            self._sign_up_and_revoke(self.services[dice.randrange(len(self.services))])

    def _sign_up_and_revoke(self, service: Service) -> None:
        """An account with two keys, of which one is revoked."""
        email = f"{uuid4().hex}@example.com"
        signup = {"email": email, "password": PASSWORD}
        account = self._send(service, "POST", "/api/auth/signup", body=signup)
        if account is None:
            return
        self.emails.append(email)
        token = account["token"]
        keys = []
        for name in ("one", "two"):
            made = self._send(service, "POST", _KEYS, token, {"name": name})
            if made is not None:
                key = Key(made["api_key"], f"{_KEYS}/{made['id']}", token, time.monotonic())
                keys.append(key)
                self.keys.append(key)
        for key in keys[1:]:
            key.revocation_sent_at = time.monotonic()
            if self._send(service, "DELETE", key.path, token) is not None:
                key.revoked_at = time.monotonic()

    def _send(
        self,
        service: Service,
        method: str,
        path: str,
        token: str | None = None,
        body: object = None,
    ) -> dict[str, Any] | None:
        """The data of what was acknowledged; None where the outcome is unknown."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = service.client.request(method, path, headers=headers, json=body)
        if answer.is_success:
            self.acknowledged_at.append(time.monotonic())
            return {} if answer.status_code == _NO_CONTENT else dict(answer.json()["data"])
        # Nothing but the database, or a place to hash, stands in the way.
        assert answer.status_code in (_TOO_MANY, _UNAVAILABLE), answer.text
        assert answer.headers["Retry-After"]
        time.sleep(0.05)
        return None


def every_verdict_holds(load: Load) -> None:
    """No dead key was accepted and no live one refused, whatever the database did."""
    for check in load.checks:
        if check.is_of_a_dead_key:
            assert check.status in (401, _UNAVAILABLE), check
        elif check.is_of_a_live_key:
            assert check.status in (200, _UNAVAILABLE), check


def nothing_acknowledged_is_lost(load: Load) -> None:
    """Every service knows every account, live key and revocation that was acknowledged."""
    for number, service in enumerate(load.services):
        for key in load.keys:
            status = load.check(key, number).status
            if key.revoked_at is not None:
                assert status == 401, key
            elif key.revocation_sent_at is None:
                assert status == 200, key
            else:
                assert status in (200, 401), key
        taken = service.client.post(
            "/api/auth/signup", json={"email": load.emails[-1], "password": PASSWORD}
        )
        assert taken.status_code == 409, taken.text
