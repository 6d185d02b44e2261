"""Rows that gather in years: one account with many keys and much usage, dead sessions, events."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from bench.population import (
    KEYS_PER_ACCOUNT,
    Installation,
    account_id,
    account_row,
    analyse,
    fill,
    key_id,
    key_row,
    uuid7,
)
from ragauth.models import Account, ApiKey, Event, Session
from ragauth.models.usage import Usage

LARGE_ACCOUNT = -1_000_000
KEYS = 500
DAYS = 365

_EVENTS = 1_000


def add_large_account(installation: Installation) -> None:
    """An account with 500 keys, each of them used on every day of a year, and 1,000 events."""
    engine = installation.engine
    now = datetime.now(UTC)
    today = now.date()
    fill(engine, Account, 1, lambda _: account_row(LARGE_ACCOUNT))
    fill(engine, ApiKey, KEYS, _key)
    fill(engine, Usage, KEYS * DAYS, lambda turn: _usage(turn, today))
    fill(engine, Event, _EVENTS, lambda turn: _event(turn, now - timedelta(minutes=turn)))
    analyse(engine)


def add_dead_rows(installation: Installation, sessions: int, events: int) -> None:
    """Sessions that ended last year, and as old events: every second one of no account."""
    long_ago = datetime.now(UTC) - timedelta(days=500)
    accounts = installation.keys // KEYS_PER_ACCOUNT

    def session(turn: int) -> dict[str, Any]:
        began_at = long_ago + timedelta(seconds=turn)
        return {
            "id": uuid7("session", turn, began_at),
            "account_id": account_id(turn % accounts),
            "generation": 0,
            "rotated_at": began_at,
            "created_at": began_at,
            "last_used_at": began_at,
            "expires_at": began_at + timedelta(days=7),
            "ip": "192.0.2.7",
            "user_agent": "a browser",
        }

    def event(turn: int) -> dict[str, Any]:
        row = _event(turn, long_ago + timedelta(seconds=turn))
        return row | {"account_id": account_id(turn % accounts) if turn % 2 else None}

    fill(installation.engine, Session, sessions, session)
    fill(installation.engine, Event, events, event)
    analyse(installation.engine)


def _key_number(turn: int) -> int:
    return LARGE_ACCOUNT - turn


def _key(turn: int) -> dict[str, Any]:
    row = key_row(_key_number(turn))
    return row | {"account_id": account_id(LARGE_ACCOUNT), "is_primary": turn == 0}


def _usage(turn: int, today: date) -> dict[str, Any]:
    age, key = divmod(turn, KEYS)
    return {
        "key_id": key_id(_key_number(key)),
        "day": today - timedelta(days=age),
        "source": "the year before",
        "account_id": account_id(LARGE_ACCOUNT),
        "environment": "live",
        "requests": 1_000 + key,
        "units": 2_000 + key,
    }


def _event(turn: int, at: datetime) -> dict[str, Any]:
    return {
        "id": uuid7("event", turn, at),
        "account_id": account_id(LARGE_ACCOUNT),
        "name": "account:login_succeeded" if turn % 2 else "account:login_failed",
        "at": at,
        "ip": "192.0.2.7",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "details": {},
    }


def count_rows(installation: Installation) -> int:
    """How many sessions and events there are."""
    with installation.engine.connect() as connection:
        counts = [
            connection.scalar(select(func.count()).select_from(table)) for table in (Session, Event)
        ]
    return sum(count or 0 for count in counts)
