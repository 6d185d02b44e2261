"""GET /api/auth/usage and GET /api/v1/internal/usage: meters, `key_id`, `group_by`."""

import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
import time_machine

from ragauth import transaction
from ragauth.extensions import db
from ragauth.models import MeterUsage, Usage
from ragauth.policy import read_policy
from ragauth.security.identifiers import ACCOUNT, KEY, decode_id, encode_id, new_uuid
from tests.cases import for_each
from tests.clients import Client, Member, issues, ok
from tests.factories.api_keys import make_service_key
from tests.runtime import runtime_of

PATH = "/api/auth/usage"
ALL = "/api/v1/internal/usage"
NOW = datetime(2027, 5, 20, 12, tzinfo=UTC)
TODAY = NOW.date()


@dataclass(frozen=True, slots=True)
class Key:
    """A key of which the tables of usage tell; `id` is the one on the wire."""

    account_id: uuid.UUID
    environment: str
    key_id: uuid.UUID

    @property
    def id(self) -> str:
        return encode_id(KEY, self.key_id)

    @property
    def account(self) -> str:
        return encode_id(ACCOUNT, self.account_id)

    def requests(
        self, day: date, requests: int, units: int | None = None, source: str = "a"
    ) -> Usage:
        return Usage(
            key_id=self.key_id,
            day=day,
            source=source,
            account_id=self.account_id,
            environment=self.environment,
            requests=requests,
            units=requests if units is None else units,
        )

    def meter(
        self, day: date, meter: str, amount: int, released: int = 0, source: str = "a"
    ) -> MeterUsage:
        return MeterUsage(
            key_id=self.key_id,
            day=day,
            source=source,
            meter=meter,
            account_id=self.account_id,
            environment=self.environment,
            amount=amount,
            released=released,
        )


def key_of(member: Member, environment: str = "live") -> Key:
    return Key(decode_id(ACCOUNT, member.id), environment, new_uuid())


def save(client: Client, *rows: Any) -> None:
    with client.app.app_context(), transaction.unit_of_work():
        db.session.add_all(rows)


def declare(client: Client, monkeypatch: pytest.MonkeyPatch, policy: bytes) -> None:
    """Let a policy file be in force for this test."""
    runtime = replace(runtime_of(client.app), policy=read_policy(policy))
    monkeypatch.setitem(client.app.extensions, "ragauth", runtime)


def operator(client: Client) -> Client:
    return client.as_key(make_service_key(client.app, "usage"))


def walk(client: Client, path: str, limit: int) -> Iterator[dict[str, Any]]:
    """The rows of all pages: none is longer than `limit`, and all but the last are full."""
    cursor = ""
    while True:
        page = client.get(f"{path}&limit={limit}{cursor}")
        rows = ok(page)
        following = page.get_json()["meta"]["next_cursor"]
        assert len(rows) == limit if following else len(rows) <= limit
        yield from rows
        if following is None:
            return
        cursor = f"&cursor={following}"


@pytest.fixture
def present() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


pytestmark = pytest.mark.usefixtures("present")


class TestRows:
    def test_a_row_has_what_each_meter_took_less_what_was_released(self, client: Client) -> None:
        member = client.sign_up()
        key = key_of(member)
        save(
            client,
            key.requests(TODAY, 3, 5, source="a"),
            key.requests(TODAY, 1, 1, source="b"),
            key.meter(TODAY, "tokens", 4_000, 3_188, source="a"),
            key.meter(TODAY, "tokens", 10, source="b"),
            key.meter(TODAY, "pages", 2),
        )
        row = {
            "day": "2027-05-20",
            "key_id": key.id,
            "environment": "live",
            "requests": 4,
            "units": 6,
            "use": {"pages": 2, "tokens": 822},
        }
        assert ok(member.client.get(PATH)) == [row]
        assert ok(operator(client).get(ALL)) == [{**row, "account_id": member.id}]

    def test_a_day_of_a_key_may_have_meters_alone_or_requests_alone(self, client: Client) -> None:
        member = client.sign_up()
        one, other = sorted((key_of(member), key_of(member)), key=lambda key: key.id)
        before = TODAY - timedelta(days=1)
        save(client, one.requests(TODAY, 1), other.meter(TODAY, "tokens", 7))
        save(client, one.meter(before, "tokens", 9), other.requests(before, 2))
        expected = [
            ("2027-05-20", other.id, 0, {"tokens": 7}),
            ("2027-05-20", one.id, 1, {}),
            ("2027-05-19", other.id, 2, {}),
            ("2027-05-19", one.id, 0, {"tokens": 9}),
        ]
        for limit in (1, 2, 3, 4, 5):
            rows = walk(member.client, f"{PATH}?from=2027-05-01", limit)
            told = [(row["day"], row["key_id"], row["requests"], row["use"]) for row in rows]
            assert told == expected

    def test_what_a_deleted_account_used_is_told_to_operators(self, client: Client) -> None:
        member = client.sign_up()
        key = key_of(member)
        save(client, key.requests(TODAY, 1), key.meter(TODAY, "tokens", 5))
        ok(member.client.post("/api/auth/me/delete", {"password": member.password}), 204)
        for shape in ("", "?group_by=day", "?group_by=month"):
            [row] = ok(operator(client).get(f"{ALL}{shape}"))
            assert (row["account_id"], row["use"]) == (member.id, {"tokens": 5})

    def test_an_export_has_the_meters(self, client: Client) -> None:
        member = client.sign_up()
        key = key_of(member)
        save(client, key.requests(date(2020, 1, 31), 1), key.meter(TODAY, "tokens", 5))
        told = ok(member.client.get("/api/auth/export"))["usage"]
        assert [(row["day"], row["requests"], row["use"]) for row in told] == [
            ("2027-05-20", 0, {"tokens": 5}),
            ("2020-01-31", 1, {}),
        ]


class TestOneKey:
    @pytest.mark.both_databases
    @for_each("shape", ["", "&group_by=day", "&group_by=month"])
    def test_key_id_leaves_all_others_out(self, client: Client, shape: str) -> None:
        member = client.sign_up()
        one, other = key_of(member), key_of(member)
        save(client, *(key.requests(TODAY, 1) for key in (one, other)))
        save(client, one.meter(TODAY, "tokens", 5), other.meter(TODAY, "tokens", 6))
        for caller, path in ((member.client, PATH), (operator(client), ALL)):
            [row] = ok(caller.get(f"{path}?key_id={one.id}{shape}"))
            assert (row["requests"], row["use"]) == (1, {"tokens": 5})
            assert ("key_id" in row) == (shape == "")

    @for_each("shape", ["", "&group_by=day", "&group_by=month"])
    def test_anothers_key_is_as_no_key(self, client: Client, shape: str) -> None:
        """S25"""
        member, stranger = client.sign_up(), client.sign_up()
        theirs = key_of(member)
        save(client, theirs.requests(TODAY, 1), theirs.meter(TODAY, "tokens", 5))
        answers = [
            stranger.client.get(f"{PATH}?key_id={key.id}{shape}").get_data()
            for key in (theirs, key_of(stranger))
        ]
        assert answers == [b'{"data":[],"meta":{"next_cursor":null}}'] * 2
        both = f"{ALL}?key_id={theirs.id}&account_id={stranger.id}{shape}"
        assert ok(operator(client).get(both)) == []


class TestPeriods:
    def test_a_day_has_a_row_for_each_environment(self, client: Client) -> None:
        member = client.sign_up()
        live, further, test = key_of(member), key_of(member), key_of(member, "test")
        save(client, *(key.requests(TODAY, 2, 3) for key in (live, further, test)))
        save(client, live.meter(TODAY, "tokens", 5), further.meter(TODAY, "tokens", 6))
        assert ok(member.client.get(f"{PATH}?group_by=day")) == [
            {"day": "2027-05-20", "environment": "test", "requests": 2, "units": 3, "use": {}},
            {
                "day": "2027-05-20",
                "environment": "live",
                "requests": 4,
                "units": 6,
                "use": {"tokens": 11},
            },
        ]

    def test_months_are_the_last_twelve_unless_bounds_are_given(self, client: Client) -> None:
        member = client.sign_up()
        key = key_of(member)
        days = [date(2026, 5, 31), date(2026, 6, 1), date(2026, 6, 30), date(2027, 5, 1)]
        save(client, *(key.requests(day, 1) for day in days))
        for caller, path in ((member.client, PATH), (operator(client), ALL)):
            rows = ok(caller.get(f"{path}?group_by=month"))
            assert [(row["month"], row["requests"]) for row in rows] == [
                ("2027-05", 1),
                ("2026-06", 2),
            ]
            rows = ok(caller.get(f"{path}?group_by=month&from=2026-05-31&to=2026-06-29"))
            assert [(row["month"], row["requests"]) for row in rows] == [
                ("2026-06", 1),
                ("2026-05", 1),
            ]
        assert ok(member.client.get(f"{PATH}?group_by=month&to=0001-01-31")) == []
        everything = f"{PATH}?group_by=month&from=0001-01-01&to=9999-12-31"
        assert sum(row["requests"] for row in ok(member.client.get(everything))) == 4

    @pytest.mark.parametrize("environments", [("live",), ("test", "live")], ids=len)
    def test_a_month_that_was_used_on_each_day_is_whole_on_each_page(
        self, client: Client, environments: tuple[str, ...]
    ) -> None:
        member = client.sign_up()
        keys = [key_of(member, environment) for environment in environments]
        days = [date(2027, 1, 1) + timedelta(days=number) for number in range(140)]
        save(client, *(key.requests(day, 1) for key in keys for day in days))
        expected = [
            (month, environment, requests)
            for month, requests in (
                ("2027-05", 20),
                ("2027-04", 30),
                ("2027-03", 31),
                ("2027-02", 28),
                ("2027-01", 31),
            )
            for environment in environments
        ]
        for caller, path in ((member.client, PATH), (operator(client), ALL)):
            for limit in (1, 3):
                rows = walk(caller, f"{path}?from=2027-01-01&group_by=month", limit)
                told = [(row["month"], row["environment"], row["requests"]) for row in rows]
                assert told == expected

    @pytest.mark.both_databases
    def test_what_is_used_meanwhile_does_not_shift_the_next_page(self, client: Client) -> None:
        member = client.sign_up()
        key, test = key_of(member), key_of(member, "test")
        days = [TODAY - timedelta(days=number) for number in (1, 2, 3)]
        save(client, *(each.requests(day, 1) for day in days for each in (key, test)))
        for group_by in ("day", "month"):
            path = f"{PATH}?from=2026-01-01&group_by={group_by}"
            first = member.client.get(f"{path}&limit=1")
            save(client, key_of(member).requests(TODAY, 5))
            cursor = first.get_json()["meta"]["next_cursor"]
            [row] = ok(member.client.get(f"{path}&limit=1&cursor={cursor}"))
            assert row[group_by] == ok(first)[0][group_by]
            assert (ok(first)[0]["environment"], row["environment"]) == ("test", "live")

    @for_each("group_by", ["year", "", "Day", "day,month"])
    def test_any_other_word_is_a_fault(self, client: Client, group_by: str) -> None:
        response = client.sign_up().client.get(f"{PATH}?group_by={group_by}")
        assert issues(response) == {("group_by",): "Must be one of: day, month"}

    @pytest.mark.both_databases
    def test_a_cursor_goes_on_with_the_same_rows_alone(self, client: Client) -> None:
        member = client.sign_up()
        keys = key_of(member), key_of(member, "test")
        days = [date(2027, 4, 1), TODAY]
        save(client, *(key.requests(day, 1) for key in keys for day in days))
        shapes = ("", "&group_by=day", "&group_by=month")
        for shape in shapes:
            page = member.client.get(f"{PATH}?limit=1&from=2027-01-01{shape}")
            cursor = page.get_json()["meta"]["next_cursor"]
            for other in shapes:
                response = member.client.get(f"{PATH}?from=2027-01-01{other}&cursor={cursor}")
                if other == shape:
                    assert len(ok(response)) == 3
                else:
                    assert issues(response) == {("cursor",): "Belongs to another `group_by`"}


@pytest.mark.both_databases
class TestAgainstAReckoning:
    """Random rows of some accounts; what each list shows is reckoned from them in Python."""

    def test_every_list_is_what_the_rows_say_page_by_page(self, client: Client) -> None:
        random = Random(7)
        members = [client.sign_up() for _ in range(3)]
        keys = [key_of(member, random.choice(("live", "test"))) for member in members * 4]
        rows: dict[Any, Any] = {}
        for _ in range(110):
            key = random.choice(keys)
            day = TODAY - timedelta(days=random.choice((0, 1, 2, 19, 20, 45, 300, 700)))
            source = random.choice("ab")
            if random.random() < 0.4:
                rows[key, day, source] = key.requests(day, random.randint(1, 9), source=source)
            else:
                meter, amount = random.choice(("tokens", "pages", "gone")), random.randint(0, 9)
                row = key.meter(day, meter, amount, random.randint(0, amount), source=source)
                rows[key, day, source, meter] = row
        reckoned = [_reckon(row) for row in rows.values()]
        save(client, *rows.values())
        service = operator(client)
        some_key = keys[1]
        first, last = TODAY - timedelta(days=650), TODAY - timedelta(days=1)
        for group_by in (None, "day", "month"):
            for caller, path, only in (
                (members[0].client, PATH, {"account_id": members[0].id}),
                (members[1].client, PATH, {"key_id": some_key.id}),
                (service, ALL, {}),
                (service, ALL, {"account_id": members[2].id}),
                (service, ALL, {"key_id": some_key.id}),
            ):
                expected = _lines(reckoned, group_by, only, first, last, is_all=path == ALL)
                assert len(expected) > 1
                asked = f"{path}?from={first}&to={last}"
                asked += f"&group_by={group_by}" if group_by else ""
                if path == ALL:
                    asked += "".join(f"&{name}={value}" for name, value in only.items())
                elif "key_id" in only:
                    asked += f"&key_id={some_key.id}"
                for limit in (2, 100):
                    assert list(walk(caller, asked, limit)) == expected, (asked, limit)


def _reckon(row: Any) -> dict[str, Any]:
    is_meter = isinstance(row, MeterUsage)
    return {
        "day": row.day,
        "account_id": encode_id(ACCOUNT, row.account_id),
        "key_id": encode_id(KEY, row.key_id),
        "environment": row.environment,
        "requests": 0 if is_meter else row.requests,
        "units": 0 if is_meter else row.units,
        "use": {row.meter: row.amount - row.released} if is_meter else {},
    }


def _lines(
    rows: list[dict[str, Any]],
    group_by: str | None,
    only: dict[str, str],
    first: date,
    last: date,
    *,
    is_all: bool,
) -> list[dict[str, Any]]:
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if first <= row["day"] <= last and only.items() <= row.items():
            period = row["day"].isoformat()[: 7 if group_by == "month" else 10]
            who = row["key_id"] if group_by is None else row["account_id"]
            groups[period, who, row["environment"], row["account_id"]].append(row)
    lines = []
    for (period, who, environment, account_id), members in sorted(groups.items(), reverse=True):
        use: dict[str, int] = defaultdict(int)
        for row in members:
            for meter, amount in row["use"].items():
                use[meter] += amount
        line = {
            "month" if group_by == "month" else "day": period,
            **({"key_id": who} if group_by is None else {}),
            "environment": environment,
            "requests": sum(row["requests"] for row in members),
            "units": sum(row["units"] for row in members),
            "use": dict(use),
        }
        lines.append({**line, "account_id": account_id} if is_all else line)
    return lines
