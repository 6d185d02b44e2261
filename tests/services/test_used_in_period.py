"""What was used in a day, a month or in total, as a counter store that starts anew is told it."""

import uuid
from collections.abc import Iterator
from datetime import date

import pytest
from flask import Flask

from ragauth import transaction
from ragauth.extensions import current, db
from ragauth.models import ApiKey
from ragauth.models.reads.prepared import PreparedReads
from ragauth.models.reads.usage import OfAccount, OfKey, RowName, UsageLookup, Used
from ragauth.models.saved_usage import Total, TotalOfMeter, save_totals, save_totals_of_meters
from tests.cases import for_each
from tests.clients import Client

pytestmark = pytest.mark.both_databases

TODAY = date(2026, 9, 30)
ACCOUNT = uuid.UUID(int=1)
OTHER_ACCOUNT = uuid.UUID(int=2)
OURS = OfAccount(ACCOUNT, "live")
KEY, SUCCESSOR, STRANGER = (uuid.UUID(int=each) for each in (10, 11, 12))


@pytest.fixture
def lookup(app: Flask) -> Iterator[UsageLookup]:
    with app.app_context():
        settings = current().settings
        reads = PreparedReads(db.engine, settings.database_url, pooled=settings.is_pooled)
        yield UsageLookup(reads)
        reads.close()


def save(
    amount: int,
    released: int = 0,
    *,
    key: uuid.UUID = KEY,
    day: date = TODAY,
    source: str = "a",
    meter: str = "tokens",
    account: uuid.UUID = ACCOUNT,
    environment: str = "live",
) -> None:
    with transaction.unit_of_work():
        if meter == "requests":
            save_totals(
                [Total(key.hex, day, source, account.hex, environment, 1, amount, 1_790_000_000)]
            )
        else:
            total = TotalOfMeter(
                key.hex, day, source, meter, account.hex, environment, amount, released
            )
            save_totals_of_meters([total])


@for_each("meter", ["requests", "tokens"])
def test_a_period_has_its_days(lookup: UsageLookup, meter: str) -> None:
    for amount, day in (
        (1, date(2026, 8, 31)),
        (10, date(2026, 9, 1)),
        (100, TODAY),
        (1_000, date(2026, 10, 1)),
    ):
        save(amount, day=day, meter=meter)
    found = {
        period: lookup.used_in_period(OURS, meter, period, {})
        for period in (20260930, 202609, 202610, 202607, 0)
    }
    assert found == {20260930: 100, 202609: 110, 202610: 1_000, 202607: 0, 0: 1_111}


@for_each("meter", ["requests", "tokens"])
def test_only_the_accounts_own_environment_counts(lookup: UsageLookup, meter: str) -> None:
    save(1, meter=meter)
    save(10, meter=meter, environment="test", key=SUCCESSOR)
    save(100, meter=meter, account=OTHER_ACCOUNT, key=STRANGER)
    save(1_000, meter="pages")
    assert lookup.used_in_period(OURS, meter, 0, {}) == 1
    assert lookup.used_in_period(OfAccount(ACCOUNT, "test"), meter, 0, {}) == 10


def test_what_was_released_was_not_used(lookup: UsageLookup) -> None:
    save(100, 30)
    # Another source may release more than it counted itself.
    save(0, 20, source="b")
    assert lookup.used_in_period(OURS, "tokens", 202609, {}) == 50


def test_a_saved_total_only_grows(lookup: UsageLookup) -> None:
    save(100, 30)
    save(90, 40)
    assert lookup.used_in_period(OURS, "tokens", 0, {}) == 60


@pytest.mark.parametrize("owner", [OURS, OfKey(KEY)])
def test_of_an_unsaved_row_the_larger_totals_count(
    lookup: UsageLookup, owner: OfAccount | OfKey, key_and_successor: None
) -> None:
    save(100, 30)
    save(7, day=date(2026, 9, 29))
    unsaved = {
        RowName(KEY, "2026-09-30", "a", ACCOUNT): Used(120, 20),
        RowName(KEY, "2026-09-30", "b", ACCOUNT): Used(5, 0),
        RowName(KEY, "2026-09-28", "a", ACCOUNT): Used(1, 0),
        RowName(KEY, "2026-10-01", "a", ACCOUNT): Used(1_000, 0),
        RowName(SUCCESSOR, "2026-09-30", "a", ACCOUNT): Used(2_000, 0),
    }
    assert lookup.used_in_period(owner, "tokens", 202609, unsaved) == 90 + 5 + 7 + 1 + 2_000
    assert lookup.used_in_period(owner, "tokens", 20260930, unsaved) == 90 + 5 + 2_000
    assert lookup.used_in_period(owner, "tokens", 0, unsaved) == 90 + 5 + 7 + 1 + 3_000


@pytest.fixture
def key_and_successor(lookup: UsageLookup, app: Flask) -> None:
    """Two keys of an account, of which the second goes on with the counts of the first."""
    account = Client(app).sign_up()
    with app.app_context(), transaction.unit_of_work():
        template = db.session.query(ApiKey).first()
        assert template is not None
        for key_id, counted_as in ((KEY, None), (SUCCESSOR, KEY), (STRANGER, None)):
            values = {
                column.key: getattr(template, column.key) for column in ApiKey.__mapper__.columns
            }
            values |= {
                "id": key_id,
                "digest": key_id.bytes * 2,
                "is_primary": False,
                "counted_as": counted_as,
            }
            db.session.add(ApiKey(**values))
    assert account


@for_each("meter", ["requests", "tokens"])
def test_a_keys_lineage_counts_together(
    lookup: UsageLookup, key_and_successor: None, meter: str
) -> None:
    save(1, meter=meter)
    save(10, meter=meter, key=SUCCESSOR)
    save(100, meter=meter, key=STRANGER)
    unsaved = {
        RowName(SUCCESSOR, "2026-09-30", "b", ACCOUNT): Used(1_000, 0),
        RowName(STRANGER, "2026-09-30", "b", ACCOUNT): Used(10_000, 0),
    }
    assert lookup.used_in_period(OfKey(KEY), meter, 0, {}) == 11
    assert lookup.used_in_period(OfKey(KEY), meter, 0, unsaved) == 1_011
    assert lookup.used_in_period(OfKey(STRANGER), meter, 0, unsaved) == 10_100


@for_each("meter", ["requests", "tokens"])
@pytest.mark.parametrize("is_together", [True, False])
def test_a_key_that_was_moved_counts_for_both_accounts(
    lookup: UsageLookup, key_and_successor: None, meter: str, is_together: bool
) -> None:
    """In one store and day, saved in one batch or one after the other, again and again."""
    for amount in (5, 3, 7):
        owners = (ACCOUNT, OTHER_ACCOUNT)
        batches = [owners] if is_together else [(owner,) for owner in owners]
        for batch in batches:
            save_for(batch, amount, meter)
    assert lookup.used_in_period(OURS, meter, 202609, {}) == 7
    assert lookup.used_in_period(OfAccount(OTHER_ACCOUNT, "live"), meter, 202609, {}) == 7
    assert lookup.used_in_period(OfKey(KEY), meter, 0, {}) == 14
    unsaved = {RowName(KEY, "2026-09-30", "a", OTHER_ACCOUNT): Used(9, 0)}
    assert lookup.used_in_period(OfKey(KEY), meter, 0, unsaved) == 16


def save_for(owners: tuple[uuid.UUID, ...], amount: int, meter: str) -> None:
    with transaction.unit_of_work():
        if meter == "requests":
            save_totals(
                Total(KEY.hex, TODAY, "a", owner.hex, "live", 1, amount, 1_790_000_000)
                for owner in owners
            )
        else:
            save_totals_of_meters(
                TotalOfMeter(KEY.hex, TODAY, "a", meter, owner.hex, "live", amount, 0)
                for owner in owners
            )
