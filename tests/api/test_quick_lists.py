"""The lists that the polling thread answers: the same bytes, and to the pool what takes longer."""

from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema
from werkzeug.test import TestResponse

from ragauth import clock, transaction
from ragauth.deadlines import WouldWait, handing_over
from ragauth.extensions import db
from ragauth.models import Account, events
from ragauth.models.reads import prepared
from ragauth.schemas.dumping import Dumper
from ragauth.security.identifiers import ACCOUNT, decode_id, new_uuid
from ragauth.web.check.login_shedding import MUST_NOT_WAIT
from tests.cases import for_each
from tests.clients import Client, Member, ok
from tests.runtime import runtime_of

pytestmark = pytest.mark.usefixtures("patient_poller")

_LISTS = [
    "/api/auth/api-keys",
    "/api/auth/api-keys?include_revoked=true",
    "/api/auth/api-keys?idle_days=0",
    "/api/auth/events",
    "/api/auth/usage",
    "/api/auth/usage?from=2020-01-01",
    "/api/auth/sessions",
    "/api/agents",
]


def _poll(client: Client, path: str) -> TestResponse:
    return client.get(path, environ_overrides={MUST_NOT_WAIT: True})


def _is_left_to_the_pool(client: Client, path: str) -> bool:
    try:
        _poll(client, path)
    except WouldWait as left:
        return not left.has_waited
    return False


@pytest.fixture
def member(client: Client) -> Member:
    """With two rows or more in each list, and nothing that is not saved."""
    member = client.sign_up()
    for number in range(2):
        agent = member.create_agent(name=f"Agent {number}")
        key = member.create_key(
            name=f"Key {number}", scopes=["query"], metadata={"n": [number, "ü"]}
        )
        member.create_key(
            agent_id=agent["id"],
            allowed_ips=["192.0.2.0/24", "2001:db8::/32"],
            expires_at="2090-01-15T10:30:00.999999+01:00",
        )
        assert client.as_key(key["api_key"]).get("/api/v1/authorize?cost=7").status_code == 200
        client.log_in(member)
        last = key["id"]
    ok(member.client.delete(f"/api/auth/api-keys/{last}"), 204)
    ok(member.client.get("/api/auth/usage"))
    return member


@pytest.mark.both_databases
@for_each("path", _LISTS)
def test_each_page_has_the_same_bytes(member: Member, path: str) -> None:
    begin, seen = f"{path}{'&' if '?' in path else '?'}limit=1", 0
    page: str | None = begin
    while page is not None:
        in_a_thread = member.client.get(page)
        in_the_poller = _poll(member.client, page)
        assert in_the_poller.get_data() == in_a_thread.get_data()
        seen += len(ok(in_the_poller))
        cursor = in_a_thread.get_json()["meta"]["next_cursor"]
        page = None if cursor is None else f"{begin}&cursor={cursor}"

    assert seen >= 2


@pytest.mark.both_databases
def test_each_list_is_dumped_as_marshmallow_dumps_it(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although what SQLite stores as text becomes text again without a value between the two."""
    dumped: list[tuple[Schema, list[Any], list[Any]]] = []
    dump_all = Dumper.dump_all

    def note(self: Dumper, things: Sequence[Any]) -> list[Any]:
        dumped.append((self._schema, [*things], dump_all(self, things)))
        return dumped[-1][-1]

    monkeypatch.setattr(Dumper, "dump_all", note)
    for path in _LISTS:
        ok(_poll(member.client, path))
        ok(member.client.get(path))

    assert len({type(schema) for schema, *_ in dumped}) >= 5
    for schema, things, found in dumped:
        assert found == schema.dump(things, many=True)


@pytest.mark.both_databases
@pytest.mark.parametrize("path", ["/api/auth/api-keys", "/api/auth/usage"])
def test_what_was_not_saved_yet_is_saved_by_the_pool(member: Member, path: str) -> None:
    before = _poll(member.client, path).get_data()
    member.key_client.get("/api/v1/authorize")

    assert _is_left_to_the_pool(member.client, path)
    shown = member.client.get(path).get_data()

    assert shown != before
    assert _poll(member.client, path).get_data() == shown


@pytest.mark.parametrize(
    "path",
    [
        "/api/auth/usage?group_by=day",
        "/api/auth/usage?group_by=month",
        "/api/auth/usage?key_id=key_01h455vb4pex5vsknk084sn02q",
        "/api/auth/api-keys?agent_id=agt_01h455vb4pex5vsknk084sn02q",
    ],
)
def test_what_costs_more_than_its_page_is_left_to_the_pool(member: Member, path: str) -> None:
    assert _is_left_to_the_pool(member.client, path)


def test_a_file_is_left_to_the_pool(member: Member) -> None:
    headers = {"Accept": "text/csv"}
    for path in ("/api/auth/usage", "/api/auth/usage?limit=1"):
        with pytest.raises(WouldWait):
            member.client.get(path, headers=headers, environ_overrides={MUST_NOT_WAIT: True})
        assert member.client.get(path, headers=headers).mimetype == "text/csv"


def test_what_takes_sqlite_long_is_left_to_the_pool(
    app: Flask, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few rows are found: those that are read on the way count."""
    path = "/api/auth/events?limit=100"
    with app.app_context(), transaction.unit_of_work():
        events.add_all(
            [
                {
                    "id": new_uuid(),
                    "account_id": decode_id(ACCOUNT, member.id),
                    "name": "account:changed",
                    "at": clock.now(),
                    "ip": None,
                    "user_agent": None,
                    "details": {},
                }
                for _ in range(100)
            ]
        )
    assert not _is_left_to_the_pool(member.client, path)

    monkeypatch.setattr(prepared, "_SQLITE_LONG_STEPS", 500)
    runtime_of(app).reads.close()

    assert _is_left_to_the_pool(member.client, path)
    # Not those before it either.
    for _ in range(20):
        assert not _is_left_to_the_pool(member.client, "/api/auth/events?limit=10")
    assert len(ok(member.client.get(path))) == 100


@pytest.mark.both_databases
def test_the_polling_thread_begins_no_transaction(app: Flask) -> None:
    with app.app_context():
        with handing_over(), pytest.raises(WouldWait), transaction.unit_of_work():
            pytest.fail("it may not write")
        with handing_over(), pytest.raises(WouldWait), transaction.read_only():
            db.session.get(Account, new_uuid())
    with app.app_context(), transaction.read_only():
        assert db.session.get(Account, new_uuid()) is None


def test_a_round_that_is_given_up_leaves_no_old_snapshot(client: Client) -> None:
    """It would show a key alive that was revoked since."""
    reads = runtime_of(client.app).reads
    count = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most)"
        " SELECT count(*), (SELECT count(*) FROM accounts) FROM n"
    )
    with handing_over(), pytest.raises(WouldWait):
        reads.read_each(count, [{"most": 1}, {"most": 100_000_000}])
    client.sign_up()
    assert reads.read(count, {"most": 1}) == [(1, 1)]
