"""Accounts and keys on behalf of customers, with both clients at a running ragauth."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from ragauth_client import Conflict, NotFound, UsageLimitExceeded, by_external_id


@pytest.fixture
def external_id() -> str:
    """One that must be escaped in a path."""
    return f"c/17 {uuid.uuid4()}?ä"


class TestAccounts:
    def test_one_is_made_found_changed_and_erased(self, client: Any, external_id: str) -> None:
        made = client.create_account(external_id=external_id, plan="team", metadata={"crm": 1})
        assert (made.external_id, made.plan, made.email) == (external_id, "team", None)
        assert made.created_at.tzinfo is not None
        mine = by_external_id(external_id)
        assert client.get_account(made.id) == client.get_account(mine) == made
        assert client.list_accounts(external_id=external_id).items == [made]
        changed = client.change_account(mine, status="suspended", metadata=None)
        assert (changed.status, changed.metadata, changed.plan) == ("suspended", None, "team")
        client.delete_account(mine)
        with pytest.raises(NotFound):
            client.get_account(mine)

    def test_a_name_that_is_taken_is_a_conflict(self, client: Any, external_id: str) -> None:
        client.create_account(external_id=external_id)
        with pytest.raises(Conflict) as caught:
            client.create_account(external_id=external_id)
        assert (caught.value.status, caught.value.code) == (409, "CONFLICT")

    def test_a_list_goes_on_where_it_ended(self, client: Any) -> None:
        for _ in range(2):
            client.create_account(external_id=str(uuid.uuid4()))
        first = client.list_accounts(limit=1)
        second = client.list_accounts(limit=1, cursor=first.next_cursor)
        assert first.items[0].id > second.items[0].id


class TestKeys:
    def test_one_is_made_changed_rotated_and_revoked(self, client: Any, external_id: str) -> None:
        account = client.create_account(external_id=external_id)
        mine = by_external_id(external_id)
        ends = datetime(2999, 1, 1, tzinfo=UTC)
        made = client.create_key(mine, name="Bot", scopes=["query"], expires_at=ends)
        assert (made.managed, made.expires_at, made.scopes) == (True, ends, ["query"])
        assert made.api_key not in repr(made)
        assert client.verify(made.api_key).account_id == account.id
        assert client.change_key(made.id, scopes=None, expires_at=None).expires_at is None
        assert client.get_key(made.id).scopes is None
        successor = client.rotate_key(made.id, grace_seconds=60)
        assert client.verify(successor.api_key).valid
        assert client.verify(made.api_key).valid
        client.revoke_key(made.id)
        client.revoke_key(successor.id)
        assert client.verify(successor.api_key).reason == "revoked"
        assert client.list_keys(mine).items == []
        assert client.get_key(made.id, include_revoked=True).replaced_by == successor.id
        assert client.list_keys(mine, include_revoked=True, idle_days=1).items == []
        dead = client.list_keys(mine, include_revoked=True, limit=1)
        assert [key.id for key in dead.items] == [successor.id]
        assert client.list_keys(mine, include_revoked=True, cursor=dead.next_cursor).items

    def test_a_plan_without_room_is_a_limit(self, client: Any, external_id: str) -> None:
        account = client.create_account(external_id=external_id)
        for number in range(5):
            client.create_key(account.id, name=f"Key {number}")
        with pytest.raises(UsageLimitExceeded):
            client.create_key(account.id, name="One more")

    def test_a_call_that_is_sent_again_makes_one_key(self, client: Any, external_id: str) -> None:
        account = client.create_account(external_id=external_id)
        name = str(uuid.uuid4())
        first, second = (
            client.create_key(account.id, name="Bot", idempotency_key=name) for _ in range(2)
        )
        assert first == second
        assert first.api_key == second.api_key
