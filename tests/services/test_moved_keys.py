"""A managed key moves to another account: its limits and total counts go with it."""

import threading
import uuid

import pytest
from flask import Flask

from ragauth.errors import (
    AccountSuspended,
    KeyAlreadyRotated,
    KeyStays,
    NoSuchAccount,
    NoSuchKey,
    UsageLimitExceeded,
)
from ragauth.models import ApiKey
from ragauth.services import audit
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import agents, api_keys, rotation
from ragauth.services.keys.credits import credits_limit
from ragauth.services.keys.moving import move_key
from ragauth.services.operators import accounts
from tests.clients import Client
from tests.services.vendors import check, is_allowed, make_customer, make_key, remaining_of

pytestmark = pytest.mark.usefixtures("in_context")


def move(key: ApiKey, source: uuid.UUID, target: uuid.UUID) -> ApiKey:
    return move_key(account_id=source, key_id=key.id, to_account_id=target, client=OPERATOR)


@pytest.mark.both_databases
def test_its_credits_and_totals_go_on() -> None:
    source, target = make_customer("a").id, make_customer("b").id
    monthly = {"meter": "requests", "window": "month", "size": 5}
    key, raw = make_key(source, limits=[credits_limit(4), monthly])
    for count, owner in enumerate((target, source, target)):
        assert is_allowed(raw)
        moved = move(key, target if owner == source else source, owner)
        assert moved.account_id == owner
        assert remaining_of(moved) == 3 - count
    assert is_allowed(raw)
    refused = check(raw)
    assert isinstance(refused.refusal, UsageLimitExceeded)
    assert refused.key is not None
    assert refused.key.account_id == target.bytes


def test_the_other_accounts_status_and_plan_hold() -> None:
    source, target = make_customer("a").id, make_customer("b").id
    key, raw = make_key(source)
    accounts.administer(account_id=target, changes={"status": "suspended"}, client=OPERATOR)
    move(key, source, target)
    assert isinstance(check(raw).refusal, AccountSuspended)
    left = api_keys.list_keys(
        account_id=source, agent_id=None, include_revoked=True, limit=9, cursor=None
    )
    assert list(left.items) == []


def test_a_plan_needs_room_for_it() -> None:
    source, target = make_customer("a").id, make_customer("b").id
    for _ in range(5):
        make_key(target)
    key, raw = make_key(source)
    with pytest.raises(UsageLimitExceeded):
        move(key, source, target)
    verdict = check(raw)
    assert verdict.key is not None
    assert verdict.key.account_id == source.bytes


def test_both_histories_tell_of_it() -> None:
    source, target = make_customer("a").id, make_customer("b").id
    move(make_key(source)[0], source, target)
    for account_id in (source, target):
        page = audit.list_events(account_id=account_id, limit=9, cursor=None)
        assert page.items[0].name == "api_key:changed"
        assert page.items[0].details["fields"] == ["account_id"]


def test_a_predecessor_in_its_grace_goes_with_it() -> None:
    source, target = make_customer("a").id, make_customer("b").id
    old, raw = make_key(source, limits=[credits_limit(3)])
    issued = rotation.rotate_key(
        account_id=source, key_id=old.id, grace_seconds=60, client=OPERATOR, by_operator=True
    )
    with pytest.raises(KeyAlreadyRotated):
        move(old, source, target)
    is_allowed(raw)
    move(issued.key, source, target)
    assert is_allowed(raw)
    assert is_allowed(issued.raw_key)
    verdict = check(raw)
    assert isinstance(verdict.refusal, UsageLimitExceeded)
    assert verdict.key is not None
    assert verdict.key.account_id == target.bytes


def test_moving_it_to_where_it_is_changes_nothing() -> None:
    source = make_customer("a").id
    key, _raw = make_key(source)
    before = len(audit.list_events(account_id=source, limit=9, cursor=None).items)
    assert move(key, source, source).id == key.id
    assert len(audit.list_events(account_id=source, limit=9, cursor=None).items) == before


def test_what_cannot_be_moved_stays(client: Client) -> None:
    source, target = make_customer("a").id, make_customer("b").id
    agent = agents.create_agent(account_id=source, name="bot", description=None, client=OPERATOR)
    bound = api_keys.create_key(
        account_id=source,
        fields={"name": "k", "kind": "secret", "environment": "live", "scopes": []},
        agent_id=agent.id,
        client=OPERATOR,
        by_operator=True,
    )
    with pytest.raises(KeyStays):
        move(bound.key, source, target)
    member = client.sign_up()
    verdict = check(member.api_key)
    assert verdict.key is not None
    assert verdict.key.account_id is not None
    owner, own_id = uuid.UUID(bytes=verdict.key.account_id), uuid.UUID(bytes=verdict.key.id)
    with pytest.raises(KeyStays):
        move_key(account_id=owner, key_id=own_id, to_account_id=target, client=OPERATOR)
    key, _raw = make_key(source)
    for origin, aim, error in (
        (target, source, NoSuchKey),
        (uuid.uuid4(), target, NoSuchKey),
        (source, uuid.uuid4(), NoSuchAccount),
    ):
        with pytest.raises(error):
            move(key, origin, aim)
    api_keys.revoke_key(account_id=source, key_id=key.id, client=OPERATOR, by_operator=True)
    with pytest.raises(NoSuchKey):
        move(key, source, target)


@pytest.mark.both_databases
def test_two_that_cross_do_not_deadlock(app: Flask) -> None:
    owners = [make_customer("a").id, make_customer("b").id]
    keys = [make_key(owner)[0] for owner in owners]
    faults: list[Exception] = []

    def swap(number: int) -> None:
        source, target = owners if number == 0 else owners[::-1]
        with app.app_context():
            try:
                for _ in range(10):
                    move(keys[number], source, target)
                    source, target = target, source
            except Exception as error:
                faults.append(error)

    threads = [threading.Thread(target=swap, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
