"""Clients that sign up, make keys, revoke and present them while a database takes over."""

import http.client
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx

from tests.e2e.service import PASSWORD, Service

_CHECKERS = 3
_WRITERS = 2
_SECONDS = 30
_UNAVAILABLE = 503


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
        self.statuses_of_writes: list[tuple[float, int]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [
            *(threading.Thread(target=self._check) for _ in range(_CHECKERS)),
            *(threading.Thread(target=self._write) for _ in range(_WRITERS)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
            assert all(thread.is_alive() for thread in threads), "a client gave up"
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(_SECONDS)

    def wait_for(self, checks: int = 0, writes: int = 0) -> None:
        """Wait until so many more checks, of each kind, were answered and changes acknowledged."""
        began_at = time.monotonic()
        deadline = began_at + _SECONDS
        while True:
            since = [check for check in list(self.checks) if check.began_at > began_at]
            dead = sum(check.is_of_a_dead_key for check in since)
            done = [
                at for at, status in list(self.statuses_of_writes) if status < 300 and at > began_at
            ]
            if min(dead, len(since) - dead) >= checks and len(done) >= writes:
                return
            assert time.monotonic() < deadline, (len(since), dead, len(done))
            time.sleep(0.01)

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
        while not self._stop.is_set():
            if not self.keys:
                time.sleep(0.01)
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
        while not self._stop.is_set():
            self._sign_up_and_revoke(self.services[dice.randrange(len(self.services))])

    def _sign_up_and_revoke(self, service: Service) -> None:
        email = f"{uuid4().hex}@example.com"
        made = self._send(
            service, "POST", "/api/auth/signup", json={"email": email, "password": PASSWORD}
        )
        if made is None:
            return
        self.emails.append(email)
        data = made.json()["data"]
        path, token = "/api/auth/api-keys", data["token"]
        account = service.client
        listed = account.get(path, headers={"Authorization": f"Bearer {token}"})
        if listed.is_success:
            (primary,) = listed.json()["data"]
            self.keys.append(
                Key(data["api_key"], f"{path}/{primary['id']}", token, time.monotonic())
            )
        for name in ("one", "two"):
            made = self._send(service, "POST", path, token, json={"name": name})
            if made is not None:
                key = made.json()["data"]
                self.keys.append(
                    Key(key["api_key"], f"{path}/{key['id']}", token, time.monotonic())
                )
        # One key of each account lives on.
        for key in self.keys[-8:]:
            if key.token == token and key.path != self.keys[-1].path:
                self.revoke(key, service)

    def revoke(self, key: Key, service: Service) -> None:
        key.revocation_sent_at = time.monotonic()
        if self._send(service, "DELETE", key.path, key.token) is not None:
            key.revoked_at = time.monotonic()

    def _send(
        self, service: Service, method: str, path: str, token: str | None = None, json: object = None
    ) -> httpx.Response | None:
        """The answer to what was acknowledged; None where the outcome is unknown."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = service.client.request(method, path, headers=headers, json=json)
        self.statuses_of_writes.append((time.monotonic(), answer.status_code))
        if answer.is_success:
            return answer
        # Nothing but the database stands in the way, or the change was made before its answer
        # was lost.
        assert answer.status_code in (_UNAVAILABLE, 404, 429), answer.text
        if answer.status_code == _UNAVAILABLE:
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


__all__ = ["Check", "Key", "Load", "every_verdict_holds", "http", "nothing_acknowledged_is_lost"]
