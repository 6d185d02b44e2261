"""One installation of the service: its environment, its commands, its gunicorn, its clients."""

import http.client
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import IO, Any, TypeVar
from unittest.mock import patch
from urllib.parse import urlsplit

import httpx
from click.testing import Result

from ragauth.config import read_settings
from tests.applications import running_app
from tests.servers.commands import ForkedCommand
from tests.servers.gunicorn import NO_TLS, PROJECT_ROOT, GunicornServer, start_gunicorn
from tests.servers.quick_hashes import QUICK_HASHES, hashing_quickly
from tests.waiting import wait_until

PASSWORD = "an otter in the reeds"
# For an installation of which nobody looks at the time that a hash takes.
QUICK = {QUICK_HASHES: "yes"}
SECRET_KEY = "a secret of the tests, long enough for every use"
COMMAND_SECONDS = 60
_INSIST_SECONDS = 60

T = TypeVar("T")
_numbers = count(1)


@dataclass(frozen=True)
class Installation:
    """What an operator has: an environment, and the commands to run in it."""

    environment: Mapping[str, str]

    def start(
        self, *arguments: str, into: IO[str] | None = None, cwd: Path = PROJECT_ROOT
    ) -> ForkedCommand:
        """Start a command; what it prints goes into a file, where one is given."""
        return self.start_module("flask", "--app", "wsgi", *arguments, into=into, cwd=cwd)

    def start_module(
        self,
        *words: str,
        into: IO[str] | None = None,
        given: int | None = None,
        cwd: Path = PROJECT_ROOT,
    ) -> ForkedCommand:
        """Start `python -m` with these words."""
        environment = {"PATH": os.environ.get("PATH", os.defpath), **self.environment}
        return ForkedCommand(*words, environment=environment, cwd=cwd, into=into, given=given)

    def migrate(self) -> None:
        """Make the tables, in this process: another one would take a second to start.

        A new instance is a copy of one that was migrated before.
        """
        folder = Path(self.environment["RAGAUTH_INSTANCE_DIR"])
        if "RAGAUTH_DATABASE_URL" in self.environment or folder.exists():
            self.command("db", "upgrade")
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        for name, content in _migrated_files().items():
            file = folder / name
            file.touch(mode=0o600)
            file.write_bytes(content)

    def migrate_as(self, program: Path) -> None:
        """Run `flask --app wsgi db upgrade`, to its end, as the program in a folder has it."""
        with self.start("db", "upgrade", cwd=program) as process:
            _, errors = process.communicate(timeout=COMMAND_SECONDS)
        assert process.returncode == 0, errors

    def command(self, *arguments: str) -> str:
        """Run an operator's command that must succeed; returns what it printed.

        In this process, which is none of the service's: another one would take a second to start.
        """
        done = self._run(*arguments)
        assert done.exit_code == 0, done.output
        return done.stdout

    def fault(self, *arguments: str) -> str:
        """Run a command that must fail with one line; returns what it says."""
        done = self._run(*arguments)
        assert (done.exit_code, done.stdout) == (1, ""), done.output
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        assert "Traceback" not in done.stderr
        return line.removeprefix("Error: ")

    def _run(self, *arguments: str) -> Result:
        with patch.dict(os.environ, self.environment, clear=True):
            settings = read_settings()
        is_quick = QUICK_HASHES in self.environment
        with hashing_quickly() if is_quick else nullcontext(), running_app(settings) as app:
            return app.test_cli_runner().invoke(args=list(arguments))

    @contextmanager
    def serve(
        self,
        *,
        workers: int = 2,
        open_files: int | None = None,
        log_to: int | None = None,
        **environment: str,
    ) -> Iterator["Service"]:
        """Yield the running service."""
        with (
            start_gunicorn(
                {**self.environment, **environment},
                workers=workers,
                open_files=open_files,
                log_to=log_to,
            ) as gunicorn,
            self.client_of(gunicorn) as service,
        ):
            yield service

    @contextmanager
    def client_of(self, gunicorn: GunicornServer) -> Iterator["Service"]:
        """Yield the service that a gunicorn runs."""
        with httpx.Client(
            base_url=gunicorn.url,
            timeout=30,
            verify=NO_TLS,
            # A connection for each request: one that is kept may be closed while it is reused.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        ) as client:
            yield Service(self, gunicorn, client)


def install(folder: Path, database_url: str | None = None, **settings: str) -> Installation:
    """An installation with its throttles off and a cheap password hash."""
    environment = {
        "RAGAUTH_INSTANCE_DIR": str(folder / "instance"),
        "RAGAUTH_BCRYPT_COST": "10",
        "RAGAUTH_REQUIRE_HTTPS": "false",
        "RAGAUTH_LOGIN_FAILURES_PER_ACCOUNT": "0",
        "RAGAUTH_LOGIN_FAILURES_PER_ADDRESS": "0",
        "RAGAUTH_SIGNUPS_PER_ADDRESS": "0",
    }
    if database_url is not None:
        environment |= {"RAGAUTH_DATABASE_URL": database_url, "RAGAUTH_SECRET_KEY": SECRET_KEY}
    return Installation(environment | settings)


@cache
def _migrated_files() -> dict[str, bytes]:
    """What is in the folder of an instance after all migrations."""
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder)).command("db", "upgrade")
        files = [path for path in (Path(folder) / "instance").iterdir() if path.is_file()]
        return {path.name: path.read_bytes() for path in files}


@dataclass
class User:
    """Someone who signed up, with what the answer gave them."""

    service: "Service"
    email: str
    account_id: str
    token: str
    refresh_token: str
    api_key: str
    client: httpx.Client = field(repr=False)

    def request(
        self, method: str, path: str, *, token: str | None = None, **arguments: Any
    ) -> httpx.Response:
        """Send a request with the access token."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.client.request(method, path, headers=headers, **arguments)

    def data(self, method: str, path: str, **arguments: Any) -> Any:
        """The data of an answer that must be a success."""
        response = self.request(method, path, **arguments)
        assert response.is_success, response.text
        return response.json()["data"]

    def create_key(self, **fields: Any) -> tuple[str, str]:
        """A further key: its id and its raw form."""
        made = self.data("POST", "/api/auth/api-keys", json={"name": "a key", **fields})
        return made["id"], made["api_key"]

    def log_in(self) -> dict[str, Any]:
        response = self.service.insist(
            "/api/auth/login", {"email": self.email, "password": PASSWORD}
        )
        assert response.status_code == 200, response.text
        data: dict[str, Any] = response.json()["data"]
        return data


class Service:
    """The service behind a real gunicorn."""

    def __init__(
        self, installation: Installation, gunicorn: GunicornServer, client: httpx.Client
    ) -> None:
        self.installation = installation
        self.gunicorn = gunicorn
        self.client = client
        self.address = urlsplit(gunicorn.url).netloc

    def sign_up(self, *, plan: str | None = None, **fields: Any) -> User:
        """A new account; on a plan, if one is named."""
        email = f"user{next(_numbers)}.{os.getpid()}@example.com"
        response = self.insist("/api/auth/signup", {"email": email, "password": PASSWORD, **fields})
        assert response.status_code == 201, response.text
        data = response.json()["data"]
        if plan is not None:
            self.installation.command("accounts", "set-plan", email, plan)
        return User(
            service=self,
            email=email,
            account_id=data["account"]["id"],
            token=data["token"],
            refresh_token=data["refresh_token"],
            api_key=data["api_key"],
            client=self.client,
        )

    def insist(
        self, path: str, body: Mapping[str, Any], token: str | None = None
    ) -> httpx.Response:
        """POST what needs a hash, again and again while no place for hashing is free."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        deadline = time.monotonic() + _INSIST_SECONDS
        while True:
            response = self.client.post(path, json=body, headers=headers)
            if response.status_code != 429 or time.monotonic() > deadline:
                return response
            assert response.json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
            time.sleep(0.2)

    def authorize(self, key: str, request_id: str | None = None) -> int:
        """Ask about a key over a connection of its own; returns the status."""
        return self.get("/api/v1/authorize", key, request_id)

    def get(self, path: str, credential: str, request_id: str | None = None) -> int:
        """GET over a connection of its own; returns the status."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        headers = {"Authorization": f"Bearer {credential}", "Connection": "close"}
        if request_id is not None:
            headers["X-Request-Id"] = request_id
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def request_lines(self) -> list[dict[str, Any]]:
        """The log's lines of requests, of all workers."""
        lines = [json.loads(line) for line in self.gunicorn.log().splitlines()]
        return [line for line in lines if line["logger"] == "ragauth.request"]


def while_redis_answers(
    services: Sequence[Service], see: Callable[[], None], *, times: int = 3
) -> None:
    """Run `see`, which counts exactly, and anew if it fails and a service counted alone meanwhile.

    It does so when Redis is late by a quarter of a second, which a busy machine may be.
    """

    def outages() -> list[int]:
        return [service.gunicorn.log().count("Redis is away") for service in services]

    before = outages()
    try:
        see()
    except AssertionError:
        if times == 1 or outages() == before:
            raise
        wait_until(lambda: all(_count_in_redis(service) for service in services))
        while_redis_answers(services, see, times=times - 1)


def _count_in_redis(service: Service) -> bool:
    """Whether all processes of a service count there again; one finds out when it is asked."""
    key = service.sign_up().api_key
    for _ in range(10):
        service.authorize(key)
    return "\nragauth_redis_standing_in_workers 0.0\n" in service.client.get("/metrics").text


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What the calls return when all of them start at the same instant, each in its thread."""
    barrier = Barrier(len(calls), timeout=30)

    def run(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return [done.result() for done in [threads.submit(run, call) for call in calls]]
