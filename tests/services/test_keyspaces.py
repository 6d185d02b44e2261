"""Keyspaces: collections of keys in any number of accounts, which die together."""

import threading
import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from ragauth import clock, transaction
from ragauth.errors import (
    AccountOfKeyspace,
    CredentialRevoked,
    NoSuchAccount,
    NoSuchKeyspace,
    UsageLimitExceeded,
)
from ragauth.extensions import db
from ragauth.models import ApiKey, Event
from ragauth.security.identifiers import new_uuid
from ragauth.services import audit
from ragauth.services.audit import OPERATOR, EventName
from ragauth.services.keys import api_keys, owned_keys, rotation
from ragauth.services.operators import accounts, customers, keyspaces, restoration
from tests.services.vendors import check, is_allowed, make_customer, make_key, make_keyspace

pytestmark = pytest.mark.usefixtures("in_context")


def delete(keyspace_id: uuid.UUID) -> int:
    return keyspaces.delete_keyspace(keyspace_id=keyspace_id, client=OPERATOR)


def list_ids(keyspace_id: uuid.UUID, external_id: str | None = None) -> list[uuid.UUID]:
    page = owned_keys.list_keys(
        keyspace_id=keyspace_id, external_id=external_id, limit=10, cursor=None
    )
    return [owned.key.id for owned in page.items]


def test_its_own_account_has_neither_a_name_nor_limits() -> None:
    keyspace_id, account_id = make_keyspace("An API")
    assert keyspaces.get_keyspace(keyspace_id=keyspace_id).name == "An API"
    account = accounts.get_account(account_id=account_id)
    assert (account.email, account.external_id, account.password_hash) == (None, None, None)
    _key, raw = make_key(account_id, keyspace_id=keyspace_id)
    verdict = check(raw, cost=10_000)
    assert verdict.refusal is None
    assert verdict.limits is not None
    applied = verdict.limits.applied
    assert (applied.requests_per_minute, applied.requests_per_month) == (None, None)
    assert applied.others == ()


@pytest.mark.both_databases
def test_they_are_listed_newest_first_in_pages() -> None:
    ids = [make_keyspace(name)[0] for name in ("one", "two", "three")]
    first = keyspaces.list_keyspaces(limit=2, cursor=None)
    assert [each.id for each in first.items] == ids[:0:-1]
    assert isinstance(first.next_cursor, uuid.UUID)
    rest = keyspaces.list_keyspaces(limit=2, cursor=first.next_cursor)
    assert ([each.id for each in rest.items], rest.next_cursor) == (ids[:1], None)


@pytest.mark.both_databases
def test_keys_of_it_are_listed_of_all_accounts_or_of_one() -> None:
    keyspace_id, own = make_keyspace()
    other_id, _ = make_keyspace("Another")
    customer = make_customer().id
    ids = [
        make_key(account_id, keyspace_id=keyspace_id)[0].id
        for account_id in (own, customer, customer)
    ]
    make_key(customer, keyspace_id=other_id)
    make_key(customer)
    assert list_ids(keyspace_id) == ids[::-1]
    assert list_ids(keyspace_id, "c-1") == ids[:0:-1]
    api_keys.revoke_key(account_id=customer, key_id=ids[1], client=OPERATOR, by_operator=True)
    assert list_ids(keyspace_id) == [ids[2], ids[0]]
    page = owned_keys.list_keys(keyspace_id=keyspace_id, external_id=None, limit=1, cursor=ids[2])
    assert ([owned.key.id for owned in page.items], page.next_cursor) == ([ids[0]], None)


def test_its_keys_do_not_count_against_a_plan() -> None:
    keyspace_id, _ = make_keyspace()
    customer = make_customer().id
    for _ in range(7):
        make_key(customer, keyspace_id=keyspace_id)
    for _ in range(5):
        make_key(customer)
    with pytest.raises(UsageLimitExceeded):
        make_key(customer)


@pytest.mark.both_databases
def test_deleting_it_kills_its_keys_in_all_accounts_and_no_other() -> None:
    keyspace_id, own = make_keyspace()
    other_id, _ = make_keyspace("Another")
    customer = make_customer().id
    dead = [make_key(each, keyspace_id=keyspace_id) for each in (own, customer, customer)]
    alive = [make_key(customer, keyspace_id=other_id)[1], make_key(customer)[1]]
    api_keys.revoke_key(account_id=customer, key_id=dead[2][0].id, client=OPERATOR)
    assert delete(keyspace_id) == 2
    for _key, raw in dead:
        verdict = check(raw)
        assert isinstance(verdict.refusal, CredentialRevoked)
        assert verdict.key is not None
        assert verdict.key.is_revoked
    assert all(map(is_allowed, alive))
    with transaction.read_only():
        events = db.session.scalars(select(Event).where(Event.name == "api_key:revoked")).all()
        assert len(events) == 3
    with pytest.raises(NoSuchAccount):
        accounts.get_account(account_id=own)
    assert [each.id for each in keyspaces.list_keyspaces(limit=9, cursor=None).items] == [other_id]


def test_its_own_account_ends_with_it_alone() -> None:
    keyspace_id, own = make_keyspace()
    key, raw = make_key(own, keyspace_id=keyspace_id)
    with pytest.raises(AccountOfKeyspace):
        accounts.erase_account(account_id=own, client=OPERATOR)
    assert is_allowed(raw)
    # A name that was given to it may be taken away, too.
    accounts.administer(account_id=own, changes={"external_id": "ours"}, client=OPERATOR)
    api_keys.revoke_key(account_id=own, key_id=key.id, client=OPERATOR)
    customers.release_customer("ours", client=OPERATOR)
    assert is_allowed(make_key(own, keyspace_id=keyspace_id)[1])
    delete(keyspace_id)
    with pytest.raises(NoSuchAccount):
        accounts.erase_account(account_id=own, client=OPERATOR)


def test_a_deletion_that_is_repeated_after_a_restore_is_one_of_the_keyspace_too() -> None:
    keyspace_id, own = make_keyspace()
    past = restoration.PastEvent(
        new_uuid(), account_id=own, name=EventName.ACCOUNT_DELETED, at=clock.now(), details={}
    )
    assert restoration.clean_up([past]).deleted_accounts == 1
    with pytest.raises(NoSuchKeyspace):
        keyspaces.get_keyspace(keyspace_id=keyspace_id)


def test_one_that_is_deleted_is_no_more() -> None:
    keyspace_id, own = make_keyspace()
    customer = make_customer().id
    delete(keyspace_id)
    for call in (
        lambda: delete(keyspace_id),
        lambda: keyspaces.get_keyspace(keyspace_id=keyspace_id),
        lambda: make_key(customer, keyspace_id=keyspace_id),
        lambda: delete(uuid.uuid4()),
    ):
        with pytest.raises(NoSuchKeyspace):
            call()
    with pytest.raises(NoSuchAccount):
        make_key(own, keyspace_id=keyspace_id)


def test_a_key_that_replaces_one_of_it_belongs_to_it() -> None:
    keyspace_id, _ = make_keyspace()
    customer = make_customer().id
    old, _raw = make_key(customer, keyspace_id=keyspace_id)
    issued = rotate(customer, old.id)
    assert list_ids(keyspace_id) == [issued.key.id]
    delete(keyspace_id)
    assert not is_allowed(issued.raw_key)


@pytest.mark.both_databases
def test_no_key_outlives_it_that_is_made_or_rotated_meanwhile(app: Flask) -> None:
    keyspace_id, _ = make_keyspace()
    owners = [make_customer(f"c-{number}").id for number in range(4)]
    keys = [make_key(owner, keyspace_id=keyspace_id)[0].id for owner in owners]
    start = threading.Barrier(len(owners) + 1)
    faults: list[Exception] = []

    def work(owner: uuid.UUID, key_id: uuid.UUID) -> None:
        with app.app_context():
            start.wait()
            try:
                for _ in range(8):
                    key_id = rotate(owner, key_id).key.id
                    make_key(owner, keyspace_id=keyspace_id)
            except Exception as error:
                faults.append(error)

    threads = [threading.Thread(target=work, args=each) for each in zip(owners, keys, strict=True)]
    for thread in threads:
        thread.start()
    start.wait()
    delete(keyspace_id)
    for thread in threads:
        thread.join()
    assert {type(fault).__name__ for fault in faults} <= {"NoSuchKeyspace", "NoSuchKey"}, faults
    with transaction.read_only():
        alive = select(ApiKey.id).where(
            ApiKey.keyspace_id == keyspace_id, ApiKey.revoked_at.is_(None)
        )
        assert db.session.scalars(alive).all() == []


@pytest.mark.both_databases
def test_deleting_it_waits_for_who_is_adding_a_key(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyspace_id, _ = make_keyspace()
    customer = make_customer().id
    is_added, may_commit = threading.Event(), threading.Event()
    made: list[str] = []
    record = audit.record_key_event

    def record_late(name: EventName, *arguments: Any, **details: Any) -> None:
        record(name, *arguments, **details)
        if name == EventName.KEY_CREATED:
            is_added.set()
            may_commit.wait()

    def add() -> None:
        with app.app_context():
            made.append(make_key(customer, keyspace_id=keyspace_id)[1])

    def end() -> None:
        with app.app_context():
            delete(keyspace_id)

    monkeypatch.setattr(audit, "record_key_event", record_late)
    adding, ending = threading.Thread(target=add), threading.Thread(target=end)
    adding.start()
    is_added.wait()
    ending.start()
    # It cannot end before; one that does not wait is through long before.
    ending.join(0.3)
    may_commit.set()
    adding.join()
    ending.join()
    assert not is_allowed(made[0])


def rotate(account_id: uuid.UUID, key_id: uuid.UUID) -> api_keys.IssuedKey:
    return rotation.rotate_key(
        account_id=account_id, key_id=key_id, grace_seconds=0, client=OPERATOR, by_operator=True
    )
