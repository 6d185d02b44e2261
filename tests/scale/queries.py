"""Every named query of the models, in each form that its parameters give it."""

import importlib
import inspect
import pkgutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

from sqlalchemy import Select

import ragauth.models
from ragauth.extensions import db
from ragauth.models import ApiKey
from ragauth.models.limit_notices import NoticeName
from ragauth.models.saved_usage import Total, TotalOfMeter
from ragauth.models.usage_places import DayPlace, KeyPlace, MonthPlace
from ragauth.security.identifiers import first_uuid_at, new_uuid
from tests.scale.populate import (
    account_id,
    agent_id,
    digest,
    key_id,
    keyspace_id,
    session_id,
    webhook_id,
)

Query = tuple[str, Callable[[], object]]

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
# Not queries of their own: they run what they are given, or ask for no table's rows.
_NO_QUERIES = {
    "base.changed_columns",
    "base.count_changed",
    "base.count_rows",
    "base.delete_oldest",
    "base.flush",
    "base.insert_many",
    "base.insert_object",
    "base.insert_row",
    "base.page_statement",
    "base.paginate",
    "base.read_page",
    "base.read_rows",
    "events.add",
    "outbox.add",
    "webhook_deliveries.add",
    "database_probe.find_fault",
    "database_probe.schema_revisions",
    "database_probe.known_revisions",
    "reads.prepared.parse_sqlite_moment",
    "usage_pages.place_of",
    "plain_rows.plain_rows",
    "saved_usage.source_of",
    "plain_rows.with_named_parameters",
    "plain_writes.write",
}
_NEW_KEY = {
    "id": new_uuid(),
    "account_id": account_id(1),
    "digest": b"x" * 32,
    "prefix": "imported",
    "kind": "secret",
    "environment": "live",
    "name": "x",
    "is_enabled": True,
    "is_primary": False,
    "is_imported": True,
    "is_managed": False,
    "created_at": NOW,
}
_TOTAL = Total(
    key_id(1).hex, NOW.date(), "another store", account_id(1).hex, "live", 1, 1, 1_781_000_000_000
)
_TOTAL_OF_METER = TotalOfMeter(
    key_id(1).hex, NOW.date(), "another store", "tokens", account_id(1).hex, "live", 9, 1
)
_SIGNING_KEY = {
    "kid": "x",
    "algorithm": "ES256",
    "public_jwk": {},
    "sealed_private_key": b"x",
    "created_at": NOW,
    "signs_from": NOW,
}
_SCOPE = {"id": new_uuid(), "name": "docs.read", "title": "x", "created_at": NOW}
_EVENT = {
    "id": new_uuid(),
    "account_id": account_id(1),
    "name": "api_key:imported",
    "at": NOW,
    "ip": None,
    "user_agent": "operator",
    "details": {},
}
# By the names of parameters, or of a function and its parameter; each value is a form to try.
_VALUES: dict[str, tuple[Any, ...]] = {
    "account_id": (account_id(1),),
    "after": (0, 1_500),
    "account_ids": ([account_id(1), account_id(2)],),
    "agent_id": (agent_id(1),),
    "at": (NOW,),
    "answer": (b"x",),
    "attempts": (0,),
    "before": (NOW - timedelta(days=30),),
    "body_digest": (b"x" * 32,),
    "by": ("requests", "units"),
    "confirmation_id": (key_id(1),),
    "cause": ("x",),
    "cursor": (None, key_id(500)),
    "delivery_id": (key_id(1),),
    "delivery_ids": ([key_id(1)],),
    "digest": (digest(1),),
    "digests": ([digest(1), digest(2)],),
    "email_canonical": ("customer1@example.com",),
    "external_ids": (["customer-7"],),
    "emails_canonical": ([], ["customer1@example.com"]),
    "event_ids": ([key_id(1)],),
    "except_session_id": (None, session_id(1)),
    "external_id": (None, "customer-7"),
    "expires_at": (NOW,),
    "first": (uuid.UUID(int=0),),
    "first_day": (NOW.date() - timedelta(days=200),),
    "furthest_used": (2,),
    "generation": (1,),
    "idle_since": (None, NOW),
    "include_revoked": (False, True),
    "is_whole": (False, True),
    "key_id": (key_id(1),),
    "keys": ([_NEW_KEY],),
    "key_ids": ([key_id(1), key_id(2)],),
    "keyspace_id": (keyspace_id(1),),
    "last_day": (NOW.date(),),
    "latest": (NOW + timedelta(seconds=10),),
    "limit": (50,),
    "meter": ("tokens",),
    "name": (None, "account:login_failed"),
    "names": (["docs.read", "docs.write"],),
    "new_name": (None, "docs.see"),
    "now": (NOW,),
    "place": (3_000,),
    "plan": (None, "scale"),
    "prefix": ("rag_live_a1",),
    "purposes": (["verify_email"],),
    "resealed_secret": (b"x",),
    "sealed_secret": (b"x",),
    "row_id": (key_id(1),),
    "rows": ([_EVENT],),
    "scope_id": (key_id(1),),
    "scopes": ([_SCOPE],),
    "search": (None, "customer77"),
    "session_id": (session_id(1),),
    "since": (session_id(1),),
    "spender_agent": (None,),
    "spender_network": (None,),
    "state": ("failed",),
    "status": (None, "suspended"),
    "step": (1,),
    "template": ("verify_email",),
    "templates": (None, ["verify_email"]),
    "to_delete": (False, True),
    "totals": ([_TOTAL],),
    "unless_after": (NOW - timedelta(days=1),),
    "until": (NOW,),
    "url": ("https://hooks.example.com/ragauth",),
    "username_canonical": ("customer1",),
    "webhook_id": (webhook_id(2),),
    "expired_keys.list_expired after": (key_id(1),),
    "expired_keys.list_expired since": (NOW - timedelta(seconds=10),),
    "outbox.list_due webhook_id": (None, webhook_id(2)),
    "webhook_deliveries.delete_older before": (first_uuid_at(NOW - timedelta(days=29)),),
    "webhook_deliveries.note_attempt status": (204,),
    "accounts.find_by_external_id external_id": ("customer-7",),
    "declared_scopes.find_by_name name": ("docs.read",),
    "declared_scopes.replace_in_managed_keys name": ("docs.read",),
    "agents.find_agent agent_id": (agent_id(1),),
    "idempotent_calls.claim at": (NOW,),
    "idempotent_calls.claim name": (b"x" * 32,),
    "idempotent_calls.claim since": (NOW,),
    "idempotent_calls.find_call name": (b"x" * 32,),
    "idempotent_calls.find_call since": (NOW,),
    "idempotent_calls.give_up name": (b"x" * 32,),
    "idempotent_calls.keep_answer name": (b"x" * 32,),
    "idempotent_calls.keep_answer status": (201,),
    "limit_notices.add_notice at": (NOW,),
    "limit_notices.add_notice name": (
        NoticeName(account_id(1), "live", "tokens", "2026-06-15", 80),
    ),
    "limit_notices.find_notices periods": (["2026-06", "2026-06-15"],),
    "api_keys.list_keys agent_id": (None, agent_id(1)),
    "events.delete_nobodys before": (first_uuid_at(NOW),),
    "events.delete_older before": (first_uuid_at(NOW),),
    "events.list_between account_id": (None, account_id(1)),
    "events.list_between before": (None, first_uuid_at(NOW)),
    "events.list_latest account_id": (None, account_id(1)),
    "events.place_next after": (1_000_000,),
    "saved_usage.save_totals_of_meters totals": ([_TOTAL_OF_METER],),
    "usage.list_days account_id": (None, account_id(0)),
    "usage.list_days before": (None, (NOW.date(), key_id(5))),
    "meter_totals.list_top_accounts_of_meter limit": (None, 50),
    "usage.list_top_accounts limit": (None, 50),
    **{
        f"usage_pages.{function} {parameter}": values
        for function in (
            "list_days_of_accounts",
            "list_days_of_keys",
            "list_meters",
            "list_months_of_accounts",
        )
        for parameter, values in (
            ("account_id", (None, account_id(0))),
            ("key_id", (None, key_id(5))),
            ("before", (None, DayPlace(NOW.date(), account_id(5), "live"))),
        )
    },
    "usage_pages.list_days_of_keys before": (None, KeyPlace(NOW.date(), key_id(5))),
    "usage_pages.list_months_of_accounts before": (
        None,
        MonthPlace(NOW.date().replace(day=1), account_id(5), "live"),
    ),
}
# SQLite has no arrays, and is asked in another way.
_OF_POSTGRES = {"reads.keys._KEYS"}
# Of the prepared reads: what they are told as `environment`, `day` and so on.
_BOUND = {
    "after": "sk_live_",
    "account_id": account_id(1),
    "agent_id": agent_id(1),
    "cursor": key_id(500),
    "delivery_id": key_id(1),
    "digest": digest(1),
    "digests": [digest(1), digest(2)],
    "environment": "live",
    "first_day": NOW.date() - timedelta(days=30),
    "key_id": key_id(1),
    "last_day": NOW.date(),
    "meter": "tokens",
    "latest": NOW,
    "most": 50,
    "now": NOW,
    "rows_from": NOW.date() - timedelta(days=2),
    "session_id": session_id(1),
    "webhook_id": webhook_id(2),
}


def named_queries() -> Iterator[Query]:
    """Each with its name, once for each form; to be called in a transaction that is taken back.

    KeyError for a parameter of which no value is known here.
    """
    is_sqlite = db.engine.dialect.name == "sqlite"
    for found in pkgutil.walk_packages(ragauth.models.__path__, "ragauth.models."):
        module = importlib.import_module(found.name)
        short = found.name.removeprefix("ragauth.models.")
        for name, value in vars(module).items():
            full = f"{short}.{name}"
            if full in _OF_POSTGRES and is_sqlite:
                continue
            if isinstance(value, Select):
                parameters = value.compile().params
                bound = {
                    each: _BOUND[each] if given is None else given
                    for each, given in parameters.items()
                }
                yield full, partial(_execute, value, bound)
            elif (
                inspect.isfunction(value)
                and value.__module__ == module.__name__
                and not name.startswith("_")
                and full not in _NO_QUERIES
            ):
                yield from _forms(full, value)


def _forms(
    name: str, function: Callable[..., object]
) -> Iterator[tuple[str, Callable[[], object]]]:
    if name == "signing_keys.insert_first":
        yield name, partial(function, **_SIGNING_KEY)
        return
    if name == "api_keys.list_predecessors":
        yield name, lambda: function(db.session.get(ApiKey, key_id(1)), now=NOW)
        return
    values = {each: _values(name, each) for each in inspect.signature(function).parameters}
    for chosen in product(*values.values()):
        given = dict(zip(values, chosen, strict=True))
        told = [f"{each}={given[each]!r:.20}" for each in given if len(values[each]) > 1]
        yield f"{name}({', '.join(told)})", partial(_call, function, given)


def _values(function: str, parameter: str) -> tuple[Any, ...]:
    return _VALUES.get(f"{function} {parameter}") or _VALUES[parameter]


def _call(function: Callable[..., object], given: dict[str, Any]) -> object:
    positional = [
        given[name]
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not parameter.KEYWORD_ONLY
    ]
    keyword = {
        name: given[name]
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    found = function(*positional, **keyword)
    # Some give rows one after the other.
    return list(found) if inspect.isgenerator(found) else found


def _execute(statement: Select[Any], parameters: dict[str, Any]) -> object:
    return db.session.execute(statement, parameters).all()
