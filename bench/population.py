"""Databases filled with realistic accounts and keys, whose raw keys can be told from a number."""

import hashlib
import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, func, insert, select, text

from ragauth.models import Account, ApiKey
from ragauth.models.accounts import ACTIVE
from ragauth.models.api_keys import SECRET, SERVICE
from ragauth.models.usage import Usage
from ragauth.security import key_format
from ragauth.security.passwords import derive_pepper, hash_password
from tests.servers.gunicorn import PROJECT_ROOT

PASSWORD = "correct horse battery staple"  # noqa: S105 - of accounts that nobody else has
SECRET_KEY = "a secret of the benchmark, 32 bytes or more"  # noqa: S105
KEYS_PER_ACCOUNT = 4
PLAN = "scale"

_BATCH = 20_000
_BCRYPT_COST = 12
_SERVICE_NUMBER = -1
_FIRST_MOMENT = datetime(2025, 1, 1, tzinfo=UTC)
# Each limit is one that no run can reach, and is still counted and compared.
_PLANS = "".join(
    f"[plans.{name}]\nlimits.requests.minute = 1000000000\nlimits.requests.month = 1000000000000\n"
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
        """Raw keys drawn at even distances from all of them, in no order."""
        drawn = [raw_key(index * self.keys // size) for index in range(size)]
        random.Random(size).shuffle(drawn)  # noqa: S311 - the same in each run
        return drawn

    def counted_requests(self) -> int:
        """How many requests the usage rows of yesterday and later add up to."""
        since = datetime.now(UTC).date() - timedelta(days=1)
        query = select(func.coalesce(func.sum(Usage.requests), 0)).where(Usage.day >= since)
        with self.engine.connect() as connection:
            return int(connection.scalar(query) or 0)


def install(folder: Path, database_url: str, *, keys: int) -> Installation:
    """Migrate the database and fill it with so many keys, and one key of a service."""
    folder.mkdir(parents=True, exist_ok=True)
    plans = folder / "policy.toml"
    plans.write_text(_PLANS)
    environment = {
        "RAGAUTH_INSTANCE_DIR": str(folder),
        "RAGAUTH_DATABASE_URL": database_url,
        "RAGAUTH_SECRET_KEY": SECRET_KEY,
        "RAGAUTH_POLICY_FILE": str(plans),
        "RAGAUTH_REQUIRE_HTTPS": "false",
        "RAGAUTH_BCRYPT_COST": str(_BCRYPT_COST),
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
    fill(engine, Account, -(-keys // KEYS_PER_ACCOUNT), account_row)
    fill(engine, ApiKey, keys, key_row)
    fill(engine, ApiKey, 1, lambda _: _service_row())
    analyse(engine)
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
    return uuid7("key", number, _moment(number))


def account_id(number: int) -> uuid.UUID:
    """The id of the account of this number."""
    return uuid7("account", number, _moment(number))


def fill(engine: Engine, table: Any, count: int, row: Callable[[int], dict[str, Any]]) -> None:
    """Insert so many rows, in batches."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # Digests come in no order: without room for the whole index each would cost a write.
            connection.execute(text("PRAGMA cache_size = -1000000"))
        for begin in range(0, count, _BATCH):
            rows = [row(number) for number in range(begin, min(count, begin + _BATCH))]
            connection.execute(insert(table), rows)


def analyse(engine: Engine) -> None:
    """What a database that has grown for a while has done by itself."""
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # Counting requests later opens a connection again.
    engine.dispose()


def account_row(number: int) -> dict[str, Any]:
    """An account whose password is PASSWORD."""
    return {
        "id": account_id(number),
        "email": email(number),
        "email_canonical": email(number),
        "email_verified_at": _moment(number),
        "username": f"customer{number}",
        "username_canonical": f"customer{number}",
        "name": f"Customer {number}",
        "plan": PLAN,
        "status": ACTIVE,
        "created_at": _moment(number),
        **_password(),
    }


def key_row(number: int) -> dict[str, Any]:
    """A key of one of the accounts."""
    return {
        "id": key_id(number),
        "account_id": account_id(number // KEYS_PER_ACCOUNT),
        "kind": SECRET,
        "name": "Primary" if number % KEYS_PER_ACCOUNT == 0 else f"Key {number}",
        "is_primary": number % KEYS_PER_ACCOUNT == 0,
        "scopes": ["query", "ingest"] if number % 3 == 0 else None,
        **_common(raw_key(number), number),
    }


@cache
def _password() -> dict[str, str]:
    pepper = derive_pepper(SECRET_KEY.encode())
    return {
        "password_hash": hash_password(PASSWORD, pepper, _BCRYPT_COST),
        "password_scheme": pepper.scheme,
    }


def _service_row() -> dict[str, Any]:
    return {
        "id": key_id(_SERVICE_NUMBER),
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


def uuid7(kind: str, number: int, at: datetime) -> uuid.UUID:
    """A UUIDv7 (RFC 9562 section 5.7) of a moment."""
    milliseconds = int(at.timestamp() * 1000)
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
