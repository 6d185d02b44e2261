"""No route and no command reads all of a table that grows: the planners are asked."""

from contextlib import suppress

import pytest
from flask import Flask
from sqlalchemy import select

from ragauth import transaction
from ragauth.extensions import db
from ragauth.models import ApiKey
from tests.scale.plans import explaining
from tests.scale.populate import Sizes, key_id, populate
from tests.scale.queries import NOW, named_queries

pytestmark = pytest.mark.both_databases

SMALL = Sizes(
    accounts=200, keys=1_000, usage=1_095, sessions=500, events=500, large=3, meters=1_095
)
_FEW = "there are a few signing keys"
_WAITING = "the outbox holds what waits to be sent, and a budget bounds it"
_TWENTY = "there are twenty webhooks at most"
_SHARE = "of so few webhooks each has a large share of the deliveries"
_UNPLACED = "the first rows of an index of events without a place alone"
_RESTORED = "once, after a restore, and all of them are meant"
# What reads a whole table or index all the same, and why that is no harm.
ALLOWED = {
    "account_search.count_accounts(search=None, plan=None, status=None)": "it counts them all",
    "account_search.count_accounts(search='customer77', plan=None, status=None)": (
        "the text may stand anywhere; a command of an operator's, over accounts"
    ),
    **{
        f"account_search.search_accounts(search={search}, plan=None, status=None, cursor=None)": why
        for search, why in (
            ("None", "a page of all but the few that were deleted"),
            ("'customer77'", "the text may stand anywhere; a command of an operator's"),
        )
    },
    "account_search.list_customers(search=None, cursor=None)": (
        "a page of an index of those alone, but of the few that were deleted"
    ),
    "account_search.list_customers(search='customer77', cursor=None)": (
        "the text may stand anywhere; over those that the operator has named"
    ),
    "api_keys.count_all_live()": _RESTORED,
    "api_keys.list_predecessors": "by the account or by the index of the keys in their grace",
    "confirmations.delete_all_unused()": _RESTORED,
    "outbox.has_failed_mail()": _WAITING,
    "events.has_unplaced()": _UNPLACED,
    "events.place_next()": _UNPLACED,
    "declared_scopes.list_scopes(search='customer77', cursor=None)": "some hundred words",
    **{
        f"declared_scopes.replace_in_managed_keys(new_name={new})": (
            "no key may keep a scope that was taken away, and that is rare"
        )
        for new in ("None", "'docs.see'")
    },
    "keyspaces.list_keyspaces(cursor=None)": "a page of all but the few that were deleted",
    "reads.keys._ANY_OF_OTHER_FORM": "the first row of two indexes, of such keys alone",
    "outbox.remove_all()": _RESTORED,
    "outbox_depth._MAIL": _WAITING,
    "outbox_depth._WEBHOOKS": _WAITING,
    "outbox_depth.mail_depth()": _WAITING,
    "outbox_depth.webhooks_depth()": _WAITING,
    "reads.signing_keys._LIVE": _FEW,
    "reads.signing_keys.list_live()": _FEW,
    "second_factors.list_account_ids()": "each secret is sealed anew, by the command `reseal`",
    "sessions.end_all()": _RESTORED,
    "signing_keys.delete_retired()": _FEW,
    "signing_keys.list_all()": _FEW,
    "signing_keys.lock_all()": _FEW,
    "webhook_deliveries._FIRST_PAGE": _SHARE,
    "webhook_deliveries.delete_of_webhook()": _SHARE,
    "webhook_deliveries.fail_all_pending()": _RESTORED,
    "webhook_deliveries.list_deliveries(cursor=None)": _SHARE,
    "webhooks._ACTIVE": _TWENTY,
    "webhooks._DUE": _TWENTY,
    "webhooks.count_webhooks()": _TWENTY,
    "webhooks.hold_active()": _TWENTY,
    "webhooks.list_all()": _TWENTY,
    "webhooks.list_with_due()": _TWENTY,
}


class _TakenBack(Exception):
    """Ends a transaction without a commit."""


def test_each_named_query_finds_its_rows_by_an_index(app: Flask) -> None:
    scans: dict[str, list[str]] = {}
    with app.app_context():
        populate(db.engine, SMALL, now=NOW)
        known = set()
        for name, query in named_queries():
            known.add(name)
            with suppress(_TakenBack), transaction.unit_of_work():
                with explaining(lambda scan, name=name: scans.setdefault(name, []).append(scan)):
                    query()
                    db.session.flush()
                raise _TakenBack
    assert len(known) > 100
    assert {name: found for name, found in scans.items() if name not in ALLOWED} == {}
    assert known >= set(ALLOWED), "what is excused is asked"


def test_a_query_without_an_index_is_found(app: Flask) -> None:
    found: list[str] = []
    with app.app_context():
        populate(db.engine, Sizes(accounts=50, keys=100, usage=0, large=0), now=NOW)
        with transaction.read_only(), explaining(found.append):
            db.session.execute(select(ApiKey.id).where(ApiKey.name == "Key 7"))
            db.session.execute(select(ApiKey.id).order_by(ApiKey.id))
            assert len(found) == 2
            # A page in the order of an index, a row by its id.
            db.session.execute(select(ApiKey.id).order_by(ApiKey.id.desc()).limit(50))
            db.session.get(ApiKey, key_id(7))
    assert len(found) == 2
