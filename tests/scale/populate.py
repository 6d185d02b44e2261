"""Fill a migrated and empty database, as years of service would:

python -m tests.scale.populate DATABASE_URL [--accounts 100000] [--keys 1000000] [--usage 10000000]

Sessions and events may be many too (`--sessions`, `--events`): half of both are old enough for
`cleanup`. The first account is a large one: it has `--large` keys, each used on each of 365 days,
and all other rows are spread evenly. Every password is unknown; keys have made-up digests.
"""

import argparse
import hashlib
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, create_engine, insert, text

from ragauth.database import Base
from ragauth.models import (
    Account,
    Agent,
    ApiKey,
    Confirmation,
    DeclaredScope,
    Event,
    Keyspace,
    MeterUsage,
    OutboxRow,
    Session,
    Usage,
    Webhook,
    WebhookDelivery,
)
from ragauth.security.identifiers import first_uuid_at

DAYS = 365
LARGE = 500
WEBHOOKS = 20
_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows of each kind; `large` is the number of keys of the first account."""

    accounts: int = 100_000
    keys: int = 1_000_000
    usage: int = 10_000_000
    sessions: int = 0
    events: int = 0
    large: int = LARGE
    meters: int = 0

    @property
    def keyspaces(self) -> int:
        return self.accounts // 2


def populate(engine: Engine, sizes: Sizes, *, now: datetime) -> None:
    """Insert all rows in batches, then let the planner look at them (ANALYZE)."""
    first_day = now.date() - timedelta(days=DAYS - 1)
    tables: list[tuple[type[Base], int, Callable[[int], dict[str, Any]]]] = [
        (Account, sizes.accounts, lambda number: _account(number, now)),
        (Agent, sizes.accounts, lambda number: _agent(number, now)),
        (Keyspace, sizes.keyspaces, lambda number: _keyspace(number, now)),
        (DeclaredScope, sizes.keyspaces, lambda number: _scope(number, now)),
        (ApiKey, sizes.keys, lambda number: _key(number, sizes, now)),
        (Usage, sizes.usage, lambda number: _usage(number, sizes, first_day)),
        (MeterUsage, sizes.meters, lambda number: _meter_usage(number, sizes, first_day)),
        (Session, sizes.sessions, lambda number: _session(number, sizes, now)),
        (Event, sizes.events, lambda number: _event(number, sizes, now)),
        (Confirmation, sizes.accounts, lambda number: _confirmation(number, sizes, now)),
        (OutboxRow, sizes.accounts // 100, lambda number: _mail(number, sizes, now)),
        (Webhook, WEBHOOKS, lambda number: _webhook(number, now)),
        (WebhookDelivery, sizes.events, lambda number: _delivery(number, sizes, now)),
        (OutboxRow, sizes.events // 10, lambda number: _message(number, sizes, now)),
    ]
    for table, count, row in tables:
        for rows in _batches(count, row):
            with engine.begin() as connection:
                if engine.dialect.name == "sqlite":
                    # Digests come in no order: without room for the index each costs a write.
                    connection.execute(text("PRAGMA cache_size = -500000"))
                connection.execute(insert(table), rows)
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    # A connection of SQLite keeps the statistics that it read when it was opened.
    engine.dispose()


def account_id(number: int) -> uuid.UUID:
    return _uuid("account", number)


def key_id(number: int) -> uuid.UUID:
    return _uuid("key", number)


def keyspace_id(number: int) -> uuid.UUID:
    return _uuid("keyspace", number)


def session_id(number: int) -> uuid.UUID:
    return _uuid("session", number)


def agent_id(number: int) -> uuid.UUID:
    return _uuid("agent", number)


def digest(number: int) -> bytes:
    """The SHA-256 of a key that nobody has."""
    return hashlib.sha256(f"key {number}".encode()).digest()


def _owner(number: int, sizes: Sizes) -> int:
    """Of a key: the first ones are the large account's."""
    return 0 if number < sizes.large else number % sizes.accounts


def _account(number: int, now: datetime) -> dict[str, Any]:
    name = f"customer{number}"
    return {
        "id": account_id(number),
        "email": f"{name}@example.com",
        "email_canonical": f"{name}@example.com",
        "username": name,
        "username_canonical": name,
        "name": f"Customer {number}",
        "external_id": None if number % 3 else f"customer-{number}",
        "plan": "scale" if number % 50 == 2 else "trial",
        "status": "suspended" if number % 100 == 1 else "active",
        "created_at": now - timedelta(days=DAYS),
    }


def _keyspace(number: int, now: datetime) -> dict[str, Any]:
    return {
        "id": keyspace_id(number),
        "account_id": account_id(number),
        "name": "An API",
        "created_at": now - timedelta(days=DAYS),
    }


def _scope(number: int, now: datetime) -> dict[str, Any]:
    return {
        "id": _uuid("scope", number),
        "name": f"docs.read{number}",
        "title": "Read",
        "created_at": now - timedelta(days=DAYS),
    }


def _agent(number: int, now: datetime) -> dict[str, Any]:
    return {
        "id": agent_id(number),
        "account_id": account_id(number),
        "name": "Bot",
        "created_at": now - timedelta(days=DAYS),
    }


def _key(number: int, sizes: Sizes, now: datetime) -> dict[str, Any]:
    is_replaced = number % 1_000 == 999
    is_service = number % 10_000 == 5_000
    owner = _owner(number, sizes)
    return {
        "id": key_id(number),
        "account_id": None if is_service else account_id(owner),
        "agent_id": None if is_service or number % 10 else agent_id(owner),
        "keyspace_id": None if is_service or number % 5 else keyspace_id(number % sizes.keyspaces),
        "digest": digest(number),
        "prefix": f"rag_live_{hashlib.md5(str(number).encode()).hexdigest()[:4]}",  # noqa: S324
        "kind": "service" if is_service else "secret",
        "environment": "live",
        "name": f"Key {number}",
        "is_enabled": True,
        "is_primary": False,
        "is_imported": number % 7 == 0,
        "created_at": now - timedelta(days=DAYS),
        "expires_at": now + timedelta(days=1) if is_replaced else None,
        "last_used_at": now,
        "replaced_by": key_id(number - 1) if is_replaced else None,
        "counted_as": key_id(number - 1) if number % 100 == 99 else None,
    }


def _usage(number: int, sizes: Sizes, first_day: date) -> dict[str, Any]:
    day, key = number % DAYS, number // DAYS
    return {
        "key_id": key_id(key),
        "day": first_day + timedelta(days=day),
        "source": "a store",
        "account_id": account_id(_owner(key, sizes)),
        "environment": "live",
        "requests": number % 90 + 1,
        "units": number % 90 + 1,
    }


def _meter_usage(number: int, sizes: Sizes, first_day: date) -> dict[str, Any]:
    row = _usage(number, sizes, first_day)
    amounts = {"amount": row.pop("requests") * 100, "released": row.pop("units")}
    return {**row, **amounts, "meter": "tokens"}


def _session(number: int, sizes: Sizes, now: datetime) -> dict[str, Any]:
    is_dead = number % 2 == 0
    opened_at = now - timedelta(days=60 if is_dead else 1)
    return {
        "id": session_id(number),
        "account_id": account_id(number % sizes.accounts),
        "generation": 3,
        "rotated_at": opened_at,
        "created_at": opened_at,
        "last_used_at": opened_at,
        "expires_at": opened_at + timedelta(days=7),
        "ended_at": opened_at if number % 4 == 0 else None,
        "ip": "192.0.2.1",
        "user_agent": "Mozilla/5.0",
    }


def _event(number: int, sizes: Sizes, now: datetime) -> dict[str, Any]:
    at = now - timedelta(days=400 if number % 2 == 0 else 1)
    return {
        "id": _uuid7(at, number),
        "account_id": None if number % 10 == 9 else account_id(number % sizes.accounts),
        "name": "account:login_failed" if number % 10 == 9 else "account:login_succeeded",
        "at": at,
        "ip": "192.0.2.1",
        "user_agent": "Mozilla/5.0",
        "details": {},
        "place": None if number % 20 == 19 else number + 1,
    }


def _confirmation(number: int, sizes: Sizes, now: datetime) -> dict[str, Any]:
    made_at = now - timedelta(days=number % 60, seconds=1)
    return {
        "id": _uuid("confirmation", number),
        "account_id": account_id(number % sizes.accounts),
        "purpose": "verify_email",
        "digest": hashlib.sha256(f"confirmation {number}".encode()).digest(),
        "email": f"customer{number}@example.com",
        "created_at": made_at,
        "expires_at": made_at + timedelta(days=1),
        "used_at": None,
    }


def _mail(number: int, sizes: Sizes, now: datetime) -> dict[str, Any]:
    return {
        "id": _uuid("mail", number),
        "account_id": account_id(number % sizes.accounts),
        "template": "verify_email",
        "sealed": b"sealed",
        "attempts": number % 2,
        "next_attempt_at": now + timedelta(seconds=number - 100),
        "expires_at": now + timedelta(days=1),
        "created_at": now,
    }


def _uuid(kind: str, number: int) -> uuid.UUID:
    """A UUIDv7 in the order of the numbers."""
    noise = hashlib.md5(f"{kind} {number}".encode()).digest()  # noqa: S324 - spreads, hides nothing
    bits = int.from_bytes(noise[:8], "big") & (1 << 62) - 1
    return uuid.UUID(int=(1_735_689_600_000 + number) << 80 | 0x7 << 76 | 0b10 << 62 | bits)


def _uuid7(at: datetime, number: int) -> uuid.UUID:
    milliseconds = int(at.timestamp() * 1000)
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | number)


def _batches(count: int, row: Callable[[int], dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for begin in range(0, count, _BATCH):
        yield [row(number) for number in range(begin, min(count, begin + _BATCH))]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.scale.populate")
    parser.add_argument("database_url")
    for name in Sizes.__dataclass_fields__:
        parser.add_argument(f"--{name}", type=int, default=getattr(Sizes(), name))
    values = vars(parser.parse_args(arguments))
    url = values.pop("database_url").replace("postgresql://", "postgresql+psycopg://")
    populate(create_engine(url), Sizes(**values), now=datetime.now(UTC))


if __name__ == "__main__":
    main(sys.argv[1:])


def webhook_id(number: int) -> uuid.UUID:
    return _uuid("webhook", number)


def delivery_id(number: int, sizes: Sizes, now: datetime) -> uuid.UUID:
    """The deliveries of the last thirty days, one after the other."""
    at = now - timedelta(days=30) * (sizes.events - number) / sizes.events
    return uuid.UUID(int=first_uuid_at(at).int + number)


def _webhook(number: int, now: datetime) -> dict[str, Any]:
    return {
        "id": webhook_id(number),
        "url": "https://hooks.example.com/",
        "events": None,
        "is_active": number % 2 == 0,
        "secret": b"sealed",
        "created_at": now,
    }


def _delivery(number: int, sizes: Sizes, now: datetime) -> dict[str, Any]:
    return {
        "id": delivery_id(number, sizes, now),
        "webhook_id": webhook_id(number % WEBHOOKS),
        "type": "api_key.created",
        "body": "{}",
        "state": "delivered",
        "attempts": 1,
        "created_at": now,
    }


def _message(number: int, sizes: Sizes, now: datetime) -> dict[str, Any]:
    return {
        "id": delivery_id(sizes.events - 1 - number, sizes, now),
        "webhook_id": webhook_id((sizes.events - 1 - number) % WEBHOOKS),
        "template": "api_key.created",
        "sealed": b"",
        "attempts": number % 2,
        "next_attempt_at": now + timedelta(seconds=number - 100),
        "expires_at": now + timedelta(days=3),
        "created_at": now,
    }
