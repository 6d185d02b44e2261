"""Customers: accounts by the operator's names for them."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from ragauth.errors import ExternalIdTaken, NoSuchAccount
from ragauth.policy import DEFAULT_POLICY, read_window
from ragauth.policy.limits import Limit
from ragauth.schemas.dumping import dumper_of
from ragauth.schemas.internal import InternalAccountSchema
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import rotation
from ragauth.services.keys.credits import credits_limit
from ragauth.services.limits.account_limits import text_of
from ragauth.services.limits.applied import compile_limits
from ragauth.services.operators import accounts, customers
from tests.clients import Client
from tests.services.vendors import check, make_customer, make_key, make_keyspace

pytestmark = pytest.mark.usefixtures("in_context")


def find_or_create(external_id: str) -> uuid.UUID:
    return customers.find_or_create_customer(external_id=external_id, client=OPERATOR).id


def names(search: str | None = None, **page: Any) -> list[str | None]:
    found = customers.list_customers(**{"search": search, "limit": 9, "cursor": None, **page})
    return [account.external_id for account in found.items]


def test_one_is_made_without_limits_of_a_plan() -> None:
    account = customers.create_customer(external_id="c-1", metadata={"crm": 42}, client=OPERATOR)
    assert (account.email, account.own_data, account.plan) == (None, {"crm": 42}, "trial")
    verdict = check(make_key(account.id)[1])
    assert verdict.limits is not None
    assert verdict.limits.applied.requests_per_month is None
    with pytest.raises(ExternalIdTaken):
        make_customer("c-1")


def test_what_a_plan_gets_later_does_not_hold_for_it() -> None:
    account = make_customer("c-1")
    trial = DEFAULT_POLICY.plan("trial")
    strict = replace(trial, limits=(*trial.limits, Limit("requests", read_window("20s"), 7)))
    policy = replace(DEFAULT_POLICY, plans={**DEFAULT_POLICY.plans, "trial": strict})

    def sizes() -> list[int | None]:
        now = accounts.get_account(account_id=account.id)
        applied = compile_limits(policy, now.plan, text_of(now.limits), None, is_closed=False)
        others = [one.limit.size for one in applied.others]
        return [applied.requests_per_minute, applied.requests_per_month, *others]

    assert sizes() == [None, None]
    # What is told is sent back, with a limit of its own beside it.
    told = dumper_of(InternalAccountSchema()).dump(account)["limits"]
    own = {"meter": "requests", "window": "20s", "size": 1}
    changes = {"limits": [*told, own]}
    accounts.administer(account_id=account.id, changes=changes, client=OPERATOR)
    assert sizes() == [None, None, 1]
    accounts.administer(account_id=account.id, changes={"limits": None}, client=OPERATOR)
    assert sizes() == [60, 1_000, 7]


def test_a_plan_that_is_set_holds_for_it() -> None:
    account = make_customer("c-1")
    accounts.set_limit(
        **{"account_id": account.id, "meter": "requests", "window": "10s", "size": 5},
        client=OPERATOR,
    )
    _, raw = make_key(account.id)
    assert check(raw).limits.applied.requests_per_minute is None  # type: ignore[union-attr]
    accounts.administer(account_id=account.id, changes={"plan": "starter"}, client=OPERATOR)
    applied = check(raw).limits.applied  # type: ignore[union-attr]
    assert (applied.requests_per_minute, applied.requests_per_month) == (300, 50_000)
    assert [one.limit.size for one in applied.others] == [5]


def test_a_limit_of_the_plan_holds_where_it_is_to_hold_again() -> None:
    account = make_customer("c-1")
    place = {"account_id": account.id, "meter": "requests", "client": OPERATOR}
    accounts.reset_limit(**place, window="minute")
    applied = check(make_key(account.id)[1]).limits.applied  # type: ignore[union-attr]
    assert (applied.requests_per_minute, applied.requests_per_month) == (60, None)


def test_one_that_signed_up_keeps_its_plan(client: Client) -> None:
    member = client.sign_up()
    [account] = accounts.list_accounts(
        email=member.email, external_id=None, plan=None, status=None, limit=1, cursor=None
    ).items
    accounts.administer(account_id=account.id, changes={"external_id": "c-1"}, client=OPERATOR)
    assert find_or_create("c-1") == account.id
    verdict = check(make_key(account.id)[1])
    assert verdict.limits is not None
    assert verdict.limits.applied.requests_per_minute == 60


@pytest.mark.both_databases
def test_of_many_calls_at_once_one_makes_it(app: Flask) -> None:
    def call(_: int) -> uuid.UUID:
        with app.app_context():
            return find_or_create("c-1")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(call, range(8)))) == 1
    assert names() == ["c-1"]


@pytest.mark.both_databases
def test_one_is_found_by_either_name(client: Client) -> None:
    account = make_customer("c-1")
    assert customers.get_customer("c-1").id == customers.get_customer(account.id).id == account.id
    client.sign_up()
    [stranger] = accounts.list_accounts(
        email=None, external_id=None, plan=None, status=None, limit=1, cursor=None
    ).items
    accounts.erase_account(account_id=account.id, client=OPERATOR)
    for named in ("c-1", account.id, stranger.id, "C-1", uuid.uuid4()):
        with pytest.raises(NoSuchAccount):
            customers.get_customer(named)
    assert find_or_create("c-1") != account.id


@pytest.mark.both_databases
def test_they_are_listed_and_searched(client: Client) -> None:
    client.sign_up()
    for name in ("Ärger 1", "b_2", "bx2", "c%3"):
        make_customer(name)
    assert names() == ["c%3", "bx2", "b_2", "Ärger 1"]
    assert names("ärger") == ["Ärger 1"]
    assert names("b_") == ["b_2"]
    assert names("%") == ["c%3"]
    assert names("nobody") == []
    page = customers.list_customers(search=None, limit=2, cursor=None)
    assert isinstance(page.next_cursor, uuid.UUID)
    assert names(cursor=page.next_cursor) == ["b_2", "Ärger 1"]


class TestReleasing:
    @pytest.mark.both_databases
    def test_its_keys_of_keyspaces_live_on_and_the_account_goes(self) -> None:
        keyspace_id, own = make_keyspace()
        account = make_customer("c-1")
        old, old_raw = make_key(account.id, keyspace_id=keyspace_id, limits=[credits_limit(3)])
        issued = rotation.rotate_key(
            account_id=account.id,
            key_id=old.id,
            grace_seconds=60,
            client=OPERATOR,
            by_operator=True,
        )
        _key, other = make_key(account.id, keyspace_id=keyspace_id)
        customers.release_customer("c-1", client=OPERATOR)
        for raw in (old_raw, issued.raw_key, other):
            verdict = check(raw)
            assert verdict.refusal is None
            assert verdict.key is not None
            assert verdict.key.account_id == own.bytes
        for named in ("c-1", account.id):
            with pytest.raises(NoSuchAccount):
                customers.release_customer(named, client=OPERATOR)
        with pytest.raises(NoSuchAccount):
            accounts.get_account(account_id=account.id)
        assert find_or_create("c-1") != account.id

    def test_one_with_a_login_or_other_keys_stays_without_its_name(self, client: Client) -> None:
        client.sign_up()
        [member] = accounts.list_accounts(
            email=None, external_id=None, plan=None, status=None, limit=1, cursor=None
        ).items
        changes = {"external_id": "c-1", "metadata": {"a": 1}}
        accounts.administer(account_id=member.id, changes=changes, client=OPERATOR)
        other = make_customer("c-2")
        _key, raw = make_key(other.id)
        for named, account in (("c-1", member), ("c-2", other)):
            customers.release_customer(named, client=OPERATOR)
            left = accounts.get_account(account_id=account.id)
            assert (left.external_id, left.own_data, left.status) == (None, None, "active")
        assert check(raw).refusal is None
