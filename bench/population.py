"""Databases filled with realistic accounts and keys, whose raw keys can be told from a number."""

import hashlib
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, insert, text

from ragauth.models import Account, ApiKey
from ragauth.models.accounts import ACTIVE
from ragauth.models.api_keys import SECRET, SERVICE
from ragauth.security import key_format
from ragauth.security.passwords import derive_pepper, hash_password
from tests.servers.gunicorn import PROJECT_ROOT

PASSWORD = "correct horse battery staple"  # noqa: S105 - of accounts that nobody else has
SECRET_KEY = "a secret of the benchmark, 32 bytes or more"  # noqa: S105
KEYS_PER_ACCOUNT = 4
PLAN = "scale"

_BATCH = 20_000
_SERVICE_NUMBER = -1
_FIRST_MOMENT = datetime(2025, 1, 1, tzinfo=UTC)
# Each limit is one that no run can reach, and is still counted and compared.
_PLANS = "".join(
    f"[{name}]\nrequests_per_minute = 1000000000\nrequests_per_month = 1000000000000\n"
    "max_keys = 1000000000\nmax_agents = 1000000000\n"
    for name in ("trial", PLAN)
)


@dataclass(frozen=True, slots=True)
class Installation:
    """A migrated and filled database, and the environment of a server that uses it."""

    environment: Mapping[str, str]
    engine: Engine
    keys: int

    def sample(self, size: int) -> list[str]:
        """Raw keys drawn at even distances from all of them."""
        return [raw_key(index * self.keys // size) for index in range(size)]

    def counted_requests(self) -> int:
        """How many requests the usage rows add up to."""
        with self.engine.connect() as connection:
            return int(connection.scalar(text("SELECT coalesce(sum(requests), 0) FROM usage")) or 0)


def install(folder: Path, database_url: str, *, keys: int, bcrypt_cost: int = 12) -> Installation:
    """Migrate the database and fill it with so many keys, and one key of a service."""
    folder.mkdir(parents=True, exist_ok=True)
    plans = folder / "plans.toml"
    plans.write_text(_PLANS)
    environment = {
        "RAGAUTH_INSTANCE_DIR": str(folder),
        "RAGAUTH_DATABASE_URL": database_url,
        "RAGAUTH_SECRET_KEY": SECRET_KEY,
        "RAGAUTH_PLANS_FILE": str(plans),
        "RAGAUTH_REQUIRE_HTTPS": "false",
        "RAGAUTH_BCRYPT_COST": str(bcrypt_cost),
        "RAGAUTH_LOGIN_FAILURES_PER_ACCOUNT": "0",
        "RAGAUTH_LOGIN_FAILURES_PER_ADDRESS": "0",
        "RAGAUTH_SIGNUPS_PER_ADDRESS": "0",
    }
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
        env=environment,
        cwd=PROJECT_ROOT,
        check=True,
        capture_output=True,
    )
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    _fill(engine, keys, bcrypt_cost)
    return Installation(environment, engine, keys)


def raw_key(number: int) -> str:
    """The raw key of this number: as random as any, and the same in each run."""
    return _raw_key("live", number)


def service_key() -> str:
    """The raw key of the service that may verify others."""
    return _raw_key("svc", _SERVICE_NUMBER)


def email(number: int) -> str:
    """The address of this account; each has the password PASSWORD."""
    return f"customer{number}@example.com"


def key_id(number: int) -> uuid.UUID:
    """The id of the key of this number."""
    return _uuid7("key", number)


def _fill(engine: Engine, keys: int, bcrypt_cost: int) -> None:
    pepper = derive_pepper(SECRET_KEY.encode())
    owner = {
        "password_hash": hash_password(PASSWORD, pepper, bcrypt_cost),
        "password_scheme": pepper.scheme,
    }
    accounts = -(-keys // KEYS_PER_ACCOUNT)
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.begin() as connection:
        if is_sqlite:
            # Digests come in no order: without room for the whole index each would cost a write.
            connection.execute(text("PRAGMA cache_size = -1000000"))
        for rows in _batches(accounts, lambda number: _account_row(number) | owner):
            connection.execute(insert(Account), rows)
        for rows in _batches(keys, _key_row):
            connection.execute(insert(ApiKey), rows)
        connection.execute(insert(ApiKey), [_service_row()])
    # What a database that has grown for a while has done by itself.
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    if is_sqlite:
        with closing(engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # Counting requests later opens a connection again.
    engine.dispose()


def _batches(count: int, row: Any) -> Iterator[list[dict[str, Any]]]:
    for begin in range(0, count, _BATCH):
        yield [row(number) for number in range(begin, min(count, begin + _BATCH))]


def _account_row(number: int) -> dict[str, Any]:
    return {
        "id": _uuid7("account", number),
        "email": email(number),
        "email_canonical": email(number),
        "email_verified_at": _moment(number),
        "username": f"customer{number}",
        "username_canonical": f"customer{number}",
        "name": f"Customer {number}",
        "plan": PLAN,
        "status": ACTIVE,
        "created_at": _moment(number),
    }


def _key_row(number: int) -> dict[str, Any]:
    return {
        "id": key_id(number),
        "account_id": _uuid7("account", number // KEYS_PER_ACCOUNT),
        "kind": SECRET,
        "name": "Primary" if number % KEYS_PER_ACCOUNT == 0 else f"Key {number}",
        "is_primary": number % KEYS_PER_ACCOUNT == 0,
        "scopes": ["query", "ingest"] if number % 3 == 0 else None,
        **_common(raw_key(number), number),
    }


def _service_row() -> dict[str, Any]:
    return {
        "id": _uuid7("key", _SERVICE_NUMBER),
        "account_id": None,
        "kind": SERVICE,
        "name": "Gateway",
        "is_primary": False,
        "scopes": ["verify"],
        **_common(service_key(), 0),
    }


def _common(raw: str, number: int) -> dict[str, Any]:
    return {
        "digest": key_format.digest_key(raw),
        "prefix": key_format.display_prefix(raw),
        "environment": "live",
        "is_enabled": True,
        "is_imported": False,
        "created_at": _moment(number),
    }


def _moment(number: int) -> datetime:
    return _FIRST_MOMENT + timedelta(seconds=number * 10)


def _uuid7(kind: str, number: int) -> uuid.UUID:
    """A UUIDv7 (RFC 9562 section 5.7) in the order of the numbers."""
    milliseconds = int(_moment(number).timestamp() * 1000)
    noise = int.from_bytes(hashlib.sha256(f"{kind} {number}".encode()).digest()[:10], "big")
    value = milliseconds << 80 | 0x7 << 76 | (noise >> 68) << 64 | 0b10 << 62
    return uuid.UUID(int=value | (noise & (1 << 62) - 1))


def _raw_key(tag: str, number: int) -> str:
    value = int.from_bytes(hashlib.sha256(f"{tag} {number}".encode()).digest(), "big")
    body = ""
    for _ in range(key_format.RANDOM_LENGTH):
        value, digit = divmod(value, 62)
        body += key_format.ALPHABET[digit]
    unchecked = f"rag_{tag}_{body}"
    return unchecked + key_format.checksum(unchecked)
