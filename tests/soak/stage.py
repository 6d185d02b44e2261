"""What a round is played on: real servers, ways to them that can be held, and hosts."""

import json
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.e2e.service import Installation, install
from tests.servers.pgbouncer import PgBouncer, start_pgbouncer
from tests.servers.postgres import PostgresServer, start_postgres
from tests.servers.postgres_pair import PostgresPair, start_postgres_pair
from tests.servers.redis import RedisServer, start_redis
from tests.servers.smtp import SmtpServer, start_smtp
from tests.soak.freezing import parent
from tests.soak.hosts import Host, TellOfLine
from tests.soak.mounts import has_mounts_of_its_own
from tests.soak.redis_pair import RedisPair, start_redis_pair
from tests.soak.ways import Way

# Kinds of stages: what the hosts keep their data in, and how many hosts there are.
POSTGRES = "two hosts on Postgres and Redis"
SQLITE = "one host on SQLite and its own counters"
PAIRS = "two hosts on a pair of Postgres and a pair of Redis"
POOLED = "two hosts on a Postgres behind PgBouncer, and Redis"
KINDS = (POSTGRES, SQLITE, PAIRS, POOLED)

# Requests a minute of a limited account.
LIMIT = 20
LIMITED_PLAN = "starter"
_DATABASE = "soak"
# Room for the counters (16 MiB) and for the SQLite database of the longest round.
_SMALL_DISK_BYTES = 96 * 2**20
_PLAN = """
[plans.{name}]
limits.requests.minute = {minute}
limits.requests.month = 1_000_000_000
max_keys = 20
max_agents = 5
"""
_PLANS = _PLAN.format(name="trial", minute=100_000) + _PLAN.format(name="starter", minute=LIMIT)


@dataclass
class Stage:
    """Running servers and hosts of one kind.

    `ways` are by host and server: `ways["a"]["postgres"]`.
    """

    kind: str
    folder: Path
    hosts: list[Host]
    service_key: str
    rng: random.Random
    smtp: SmtpServer
    ways: dict[str, dict[str, Way]] = field(default_factory=dict)
    # Whether the instance folder of the first host is a small disk of its own.
    has_small_disk: bool = False
    postgres: PostgresServer | None = None
    redis: RedisServer | None = None
    postgres_pair: PostgresPair | None = None
    redis_pair: RedisPair | None = None
    pooler: PgBouncer | None = None

    def ways_to(self, server: str) -> list[Way]:
        """The ways of all hosts to one server: `postgres`, `redis`, `mail`."""
        return [ways[server] for ways in self.ways.values() if server in ways]

    def execute(self, statement: str) -> None:
        """Run a statement in Postgres, past the ways, whatever is read-only."""
        assert self.postgres is not None
        writes = "-c default_transaction_read_only=off"
        with psycopg.connect(
            self.postgres.url(_DATABASE), autocommit=True, options=writes, connect_timeout=5
        ) as connection:
            connection.execute(statement.encode())

    def postgres_master(self) -> int:
        """The process id of Postgres's first process."""
        assert self.postgres is not None
        with psycopg.connect(self.postgres.url("postgres"), connect_timeout=5) as connection:
            return parent(connection.info.backend_pid)


@contextmanager
def set_up(
    kind: str, folder: Path, logs: Path, rng: random.Random, tell: TellOfLine
) -> Iterator[Stage]:
    """Yield a stage of one of the KINDS, and end all of it."""
    with ExitStack() as stack:
        smtp = stack.enter_context(start_smtp(folder))
        stage = Stage(kind, folder, [], "", rng, smtp)
        plans = folder / "policy.toml"
        plans.write_text(_PLANS)
        settings = {"RAGAUTH_POLICY_FILE": str(plans)}
        if kind == PAIRS:
            stage.postgres_pair = stack.enter_context(start_postgres_pair())
            stage.postgres_pair.primary.create_database(_DATABASE)
            stage.redis_pair = stack.enter_context(start_redis_pair())
        if kind in (POSTGRES, POOLED):
            stage.postgres = stack.enter_context(start_postgres())
            stage.redis = stack.enter_context(start_redis())
            stage.postgres.create_database(_DATABASE)
            # What is acknowledged must outlive a crash of the server, as with its own default.
            stage.execute(f"ALTER DATABASE {_DATABASE} SET synchronous_commit = on")
        if kind == POOLED:
            assert stage.postgres is not None
            # As many sessions as a pooler has by default for one database and user.
            stage.pooler = stack.enter_context(
                start_pgbouncer(stage.postgres, default_pool_size="20")
            )
        names = ["a"] if kind == SQLITE else ["a", "b"]
        installations = [_install(stage, stack, name, settings) for name in names]
        installations[0].migrate()
        stage.service_key = _make_service_key(installations[0])
        for name, installation in zip(names, installations, strict=True):
            host = Host(name, installation.environment, folder, logs, tell)
            stack.callback(host.close)
            stage.hosts.append(host)
            host.start()
        yield stage


def _install(stage: Stage, stack: ExitStack, name: str, settings: dict[str, str]) -> Installation:
    def way_to(server: str, url: str) -> str:
        parts = urlsplit(url)
        assert parts.port is not None
        way = Way(parts.port)
        stack.callback(way.close)
        stage.ways.setdefault(name, {})[server] = way
        return parts._replace(netloc=parts.netloc.replace(str(parts.port), str(way.port))).geturl()

    own = stage.folder / f"installation-{name}"
    own.mkdir()
    if has_mounts_of_its_own() and not stage.hosts:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK_BYTES}", "none", str(own)]
        subprocess.run(mount, check=True)
        # Lazily: what is still open goes with its last user.
        stack.callback(subprocess.run, ["umount", "--lazy", str(own)], check=True)
        stage.has_small_disk = True
    settings = settings | {"RAGAUTH_MAIL_URL": way_to("mail", stage.smtp.url)}
    if stage.postgres_pair is not None and stage.redis_pair is not None:
        # Each has two addresses, of which the Sentinel and Postgres say themselves which counts.
        settings["RAGAUTH_REDIS_URL"] = stage.redis_pair.url
        return install(own, stage.postgres_pair.url(_DATABASE), **settings)
    if stage.postgres is None or stage.redis is None:
        return install(own, **settings)
    settings["RAGAUTH_REDIS_URL"] = way_to("redis", stage.redis.url)
    database: PostgresServer | PgBouncer = stage.postgres
    if stage.pooler is not None:
        settings["RAGAUTH_DATABASE_POOLER"] = "transaction"
        database = stage.pooler
    return install(own, way_to("postgres", database.url(_DATABASE)), **settings)


def _make_service_key(installation: Installation) -> str:
    made = installation.command(
        *("service-keys", "create", "--name", "soak", "--json"),
        *("--scope", "verify", "--scope", "accounts"),
    )
    key: str = json.loads(made)["api_key"]
    return key


def is_well(host: Host, credential: str, token: str) -> bool:
    """Whether a host is ready, checks a key and writes."""
    ready = host.ask("GET", "/readyz", give_up_seconds=5)
    if ready.status != 200:
        return False
    check = host.ask("GET", "/api/v1/authorize", credential=credential, give_up_seconds=5)
    if check.status != 200:
        return False
    change = {"name": f"canary {time.monotonic()}"}
    # Its account may write 120 times a minute, and may have.
    return host.ask(
        "PATCH", "/api/auth/me", credential=token, body=change, give_up_seconds=5
    ).status in (200, 429)
