"""The state of the installation, for an operator at the command line.

No service needs to be running.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from ragauth import clock, transaction
from ragauth.clock import format_time
from ragauth.config.redis_urls import redis_place
from ragauth.counters import CountersUnavailable, UsageRow
from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import db, settings
from ragauth.models import events as event_rows
from ragauth.models import usage as usage_rows
from ragauth.models import webhooks as webhook_rows
from ragauth.models.database_probe import known_revisions, schema_revisions
from ragauth.models.installation import Installation
from ragauth.models.outbox_depth import mail_depth, webhooks_depth
from ragauth.security.identifiers import WEBHOOK, encode_id
from ragauth.services.audit import EventName
from ragauth.services.limits.limits import current_limits
from ragauth.services.operators import readiness
from ragauth.services.operators.readiness import OK
from ragauth.services.sessions import signing_key_rotation
from ragauth.services.sessions.signing_key_rotation import Sealed, State

# A reset mail may wait for its place for half an hour; all other mail goes within minutes.
_MAIL_IS_STUCK = timedelta(hours=1)
# Usage is saved every ten seconds.
_USAGE_IS_STUCK = timedelta(minutes=1)
_WAITING_USAGE = 1_000
# A receiver that is started anew is back before.
_WEBHOOK_FAILS = timedelta(hours=1)


@dataclass
class Health:
    """What is known of each part, and one line for each fault."""

    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def examine() -> Health:
    """Examine each part once.

    A part that does not answer is a fault; the others are still examined.
    """
    health = Health()
    checks = _failing_checks()
    health.faults += [f"{name}: {state}" for name, state in checks.items() if state != OK]
    database_state = checks.get("database", OK)
    health.parts["database"] = {**_where_the_database_is(), "state": database_state}
    health.parts["counters"] = _counters(checks)
    for name, examine_part in (
        ("database", _database),
        ("counters", _names_in_redis),
        ("mail", _mail),
        ("webhooks", _webhooks),
        ("usage", _usage),
        ("signing_key", _signing_key),
    ):
        part = health.parts.setdefault(name, {})
        try:
            examine_part(part, health.faults)
        except SQLAlchemyError:
            # `_failing_checks` has reported the fault of the database.
            if database_state == OK and name != "database":
                health.faults.append(f"{name}: the database did not answer")
    return health


def _failing_checks() -> dict[str, str]:
    """The checks of `/readyz` if one of them fails, else an empty dict."""
    try:
        readiness.check_all()
    except ExternalServiceUnavailable as error:
        return dict(error.details["checks"])
    return {}


def _where_the_database_is() -> dict[str, Any]:
    if settings().uses_sqlite:
        return {"kind": "SQLite", "at": db.engine.url.database}
    return {"kind": "Postgres", "at": settings().database_place}


def _database(part: dict[str, Any], _faults: list[str]) -> None:
    part["newest_schema"] = known_revisions()[-1]
    # The check wrote to the database and rolled back.
    part["writable"] = part["state"] == OK
    with transaction.read_only():
        part["schema"] = ", ".join(schema_revisions())


def _counters(checks: dict[str, str]) -> dict[str, Any]:
    url = settings().redis_url
    if url is None:
        return {
            "kind": "file",
            "at": str(settings().instance_dir),
            "state": checks.get("counters", OK),
        }
    return {"kind": "Redis", "at": str(redis_place(url)), "state": checks.get("redis", OK)}


def _names_in_redis(part: dict[str, Any], _faults: list[str]) -> None:
    """Add the pattern of this installation's names, as an ACL in Redis needs it."""
    if settings().redis_url:
        with transaction.read_only():
            part["keys"] = f"ragauth:{db.session.scalar(select(Installation.name))}:*"


def _server(url: str) -> str:
    """Host and port of a URL, without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _mail(part: dict[str, Any], faults: list[str]) -> None:
    url = settings().mail_url
    part["kind"] = "folder" if url is None else "SMTP server"
    part["at"] = str(settings().instance_dir / "outbox") if url is None else _server(url)
    with transaction.read_only():
        depth = mail_depth(now=clock.now())
        given_up = event_rows.list_latest(None, EventName.MAIL_GIVEN_UP, limit=1)
    part["waiting"] = depth.waiting
    part["tried_before"] = depth.tried
    part["oldest_at"] = depth.oldest_at and format_time(depth.oldest_at)
    part["last_given_up_at"] = format_time(given_up[0].at) if given_up else None
    part["last_given_up_for"] = given_up[0].details.get("cause") if given_up else None
    if depth.oldest_at is not None and clock.now() - depth.oldest_at > _MAIL_IS_STUCK:
        faults.append(f"mail: waits since {format_time(depth.oldest_at)}; try `mail send`")


def _webhooks(part: dict[str, Any], faults: list[str]) -> None:
    with transaction.read_only():
        webhooks = webhook_rows.list_all()
        part["waiting"] = webhooks_depth(now=clock.now()).waiting
    part["active"] = sum(webhook.is_active for webhook in webhooks)
    part["switched_off"] = len(webhooks) - part["active"]
    part["failing"] = []
    for webhook in webhooks:
        if webhook.failing_since is None:
            continue
        name, since = encode_id(WEBHOOK, webhook.id), format_time(webhook.failing_since)
        if not webhook.is_active:
            faults.append(
                f"webhooks: {name} failed since {since} and is switched off;"
                f" `webhooks enable {name}` or `webhooks remove {name}`"
            )
            continue
        part["failing"].append(name)
        if clock.now() - webhook.failing_since > _WEBHOOK_FAILS:
            faults.append(f"webhooks: {name} fails since {since}; try `webhooks test {name}`")


def _usage(part: dict[str, Any], faults: list[str]) -> None:
    with transaction.read_only():
        saved = usage_rows.last_use()
    part["latest_use_saved_at"] = saved and format_time(saved)
    try:
        waiting = current_limits().counters.changed_usage(_WAITING_USAGE)
    except CountersUnavailable:
        # `_failing_checks` has reported the fault of the counters.
        part["waiting"] = None
        return
    part["waiting"] = len(waiting)
    # A row of a meter is saved together with, or soon after, the row of its key.
    last_uses = (row.last_used_ms for row in waiting if isinstance(row, UsageRow))
    oldest = min(map(clock.from_ms, last_uses), default=None)
    if oldest is not None and clock.now() - oldest > _USAGE_IS_STUCK:
        faults.append(f"usage: not saved since {format_time(oldest)}; does a service run?")


def _signing_key(part: dict[str, Any], faults: list[str]) -> None:
    keys = signing_key_rotation.list_keys()
    part["kid"] = None  # the first token makes the first key
    part["others"] = sum(key.state in (State.NEXT, State.VERIFYING) for key in keys)
    for key in keys:
        if key.state is State.SIGNING:
            part["kid"] = key.row.kid
            part["signs_from"] = format_time(key.row.signs_from)
            part["age_days"] = max(0, (clock.now() - key.row.signs_from).days)
            part["sealed_with"] = key.sealed and key.sealed.value
            if key.sealed is Sealed.UNKNOWN:
                faults.append("signing key: RAGAUTH_SECRET_KEY does not open it")
