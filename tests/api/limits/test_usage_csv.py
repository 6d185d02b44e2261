"""Usage as `text/csv`, for who accepts it."""

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.test import TestResponse

from ragauth.models import usage_pages
from ragauth.security.addresses import neighbourhood_of
from ragauth.services.limits import usage_files
from ragauth.services.limits.export_turns import export_turns
from tests.api.limits.test_usage_of_meters import (
    ALL,
    NOW,
    PATH,
    TODAY,
    declare,
    key_of,
    operator,
    save,
)
from tests.clients import Client, error, ok

CSV = {"Accept": "text/csv"}


@pytest.fixture(autouse=True)
def _present() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def table(response: TestResponse) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    assert response.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


class TestTheFile:
    def test_it_has_a_header_and_a_column_for_each_meter(self, client: Client) -> None:
        member = client.sign_up()
        key = key_of(member)
        save(client, key.requests(TODAY, 3, 5), key.meter(TODAY, "tokens", 9, 2))
        save(client, key.meter(TODAY - timedelta(days=1), "pages", 4))
        response = member.client.get(PATH, headers=CSV)
        assert response.data.decode() == (
            "day,key_id,environment,requests,units,pages,tokens\r\n"
            f"2027-05-20,{key.id},live,3,5,0,7\r\n"
            f"2027-05-19,{key.id},live,0,0,4,0\r\n"
        )
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
        assert response.headers["Content-Disposition"] == (
            "attachment; filename=usage-2027-05-01-2027-05-20.csv"
        )
        assert response.headers["Cache-Control"] == "no-store"
        assert "Accept" in response.vary
        assert response.content_length == len(response.data)
        head = member.client.request("HEAD", PATH, headers=CSV)
        assert (head.status_code, head.data) == (200, b"")
        for name in ("Content-Type", "Content-Disposition", "Content-Length", "Vary"):
            assert head.headers[name] == response.headers[name]

    @pytest.mark.both_databases
    def test_periods_and_accounts_have_columns_of_their_own(self, client: Client) -> None:
        member = client.sign_up()
        key = key_of(member)
        save(client, key.requests(TODAY, 3), key.meter(TODAY, "tokens", 9))
        service = operator(client)
        day = {"day": "2027-05-20"}
        month = {"month": "2027-05"}
        rest = {"environment": "live", "requests": "3", "units": "3", "tokens": "9"}
        whose = {"account_id": member.id}
        for caller, path, expected in (
            (member.client, f"{PATH}?group_by=day", {**day, **rest}),
            (member.client, f"{PATH}?group_by=month", {**month, **rest}),
            (service, ALL, {**day, **whose, "key_id": key.id, **rest}),
            (service, f"{ALL}?group_by=day", {**day, **whose, **rest}),
            (service, f"{ALL}?group_by=month", {**month, **whose, **rest}),
        ):
            [row] = table(caller.get(path, headers=CSV))
            assert list(row.items()) == list(expected.items())

    @pytest.mark.both_databases
    def test_it_has_all_rows_of_the_span_and_with_a_limit_a_page(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(usage_files, "_BATCH", 7)
        member = client.sign_up()
        key = key_of(member)
        days = [TODAY - timedelta(days=number) for number in range(130)]
        save(client, *(key.requests(day, 1) for day in days))
        save(client, *(key.meter(day, "tokens", 1) for day in days[::2]))
        for caller, path in ((member.client, PATH), (operator(client), ALL)):
            for shape in ("", "&group_by=day"):
                asked = f"{path}?from=2020-01-01{shape}"
                rows = table(caller.get(asked, headers=CSV))
                assert [row["day"] for row in rows] == [str(day) for day in days]
                assert sum(int(row["tokens"]) for row in rows) == 65
                page = table(caller.get(f"{asked}&limit=3", headers=CSV))
                assert page == rows[:3]
                cursor = caller.get(f"{asked}&limit=3").get_json()["meta"]["next_cursor"]
                rest = table(caller.get(f"{asked}&cursor={cursor}", headers=CSV))
                assert rest == rows[3:]
        months = table(member.client.get(f"{PATH}?group_by=month", headers=CSV))
        assert sum(int(row["requests"]) for row in months) == 130

    def test_declared_meters_have_a_column_without_use_and_others_follow(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        declare(client, monkeypatch, b"[meters.tokens]\n[meters.calls]\n")
        member = client.sign_up()
        save(client, key_of(member).meter(TODAY, "abandoned", 2))
        for limit in ("", "&limit=9"):
            response = member.client.get(f"{PATH}?group_by=day{limit}", headers=CSV)
            assert response.text == (
                "day,environment,requests,units,tokens,calls,abandoned\r\n"
                "2027-05-20,live,0,0,0,0,2\r\n"
            )

    def test_without_a_row_it_is_the_header(self, client: Client) -> None:
        response = client.sign_up().client.get(PATH, headers=CSV)
        assert response.text == "day,key_id,environment,requests,units\r\n"

    def test_a_meter_with_the_name_of_another_column_is_told_apart(self, client: Client) -> None:
        member = client.sign_up()
        save(client, key_of(member).meter(TODAY, "units", 9))
        [row] = table(member.client.get(PATH, headers=CSV))
        assert (row["units"], row["use.units"]) == ("0", "9")


_ACCEPTED = [
    (None, "application/json"),
    ("*/*", "application/json"),
    ("application/*", "application/json"),
    ("application/json, text/plain, */*", "application/json"),
    ("text/html", "application/json"),
    ("text/csv, application/json", "application/json"),
    ("text/csv;q=0.5, application/json;q=0.9", "application/json"),
    ("text/csv;q=0.5, */*", "application/json"),
    ("text/csv;q=0, */*", "application/json"),
    ("text/csv;q=0", "application/json"),
    ("nonsense;;;q=,", "application/json"),
    ("text/csv", "text/csv"),
    ("TEXT/CSV", "text/csv"),
    ("text/*", "text/csv"),
    ("text/csv; charset=utf-8", "text/csv"),
    ("text/csv;header=present", "text/csv"),
    ("text/csv, */*;q=0.1", "text/csv"),
    ("text/csv, */*", "text/csv"),
    ("application/json;q=0.1, text/csv;q=0.2", "text/csv"),
    ("application/json;q=0, */*", "text/csv"),
]


class TestWhoGetsIt:
    def test_the_better_liked_type_decides(self, client: Client) -> None:
        member = client.sign_up()
        for accept, media_type in _ACCEPTED:
            headers = {} if accept is None else {"Accept": accept}
            response = member.client.get(PATH, headers=headers)
            assert (response.status_code, response.mimetype) == (200, media_type), accept
            assert "Accept" in response.vary

    def test_errors_are_in_the_envelope_all_the_same(self, client: Client) -> None:
        member = client.sign_up()
        for response in (
            member.client.get(f"{PATH}?limit=0", headers=CSV),
            client.get(PATH, headers=CSV),
            member.client.get(ALL, headers=CSV),
        ):
            assert response.mimetype == "application/json"
            assert set(response.get_json()) == {"error"}
            assert "Accept" in response.vary
        assert client.get("/api/auth/me", headers=CSV).mimetype == "application/json"


class TestBounds:
    def test_a_database_that_fails_halfway_gives_an_error_and_no_half_of_a_file(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = client.sign_up()
        key = key_of(member)
        save(client, *(key.requests(TODAY - timedelta(days=n), 1) for n in range(5)))
        monkeypatch.setattr(usage_files, "_BATCH", 2)
        read, reads = usage_pages.list_days_of_keys, []

        def fail_later(**asked: Any) -> Any:
            reads.append(asked)
            if len(reads) == 3:
                raise PoolTimeout
            return read(**asked)

        monkeypatch.setattr(usage_pages, "list_days_of_keys", fail_later)
        error(member.client.get(PATH, headers=CSV), 503, "EXTERNAL_SERVICE_ERROR")
        assert len(table(member.client.get(PATH, headers=CSV))) == 5

    @pytest.mark.both_databases
    def test_a_meter_that_comes_up_meanwhile_is_left_out_of_no_file(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = client.sign_up()
        save(client, key_of(member).meter(TODAY, "tokens", 1))
        with monkeypatch.context() as patch:
            patch.setattr(usage_pages, "list_meters", lambda **_asked: [])
            error(member.client.get(PATH, headers=CSV), 503, "EXTERNAL_SERVICE_ERROR")
        assert [row["tokens"] for row in table(member.client.get(PATH, headers=CSV))] == ["1"]

    def test_files_without_a_limit_are_made_in_turns_with_exports(self, client: Client) -> None:
        """S29: what a request may cost is bounded. S43: one network leaves a place to others."""
        member = client.sign_up()
        home = neighbourhood_of("127.0.0.1")
        one, two = (key_of(member).key_id for _ in range(2))
        with (
            export_turns.place(account_id=one, network=home),
            export_turns.place(account_id=two, network=home),
        ):
            for caller, path in ((member.client, PATH), (operator(client), ALL)):
                error(caller.get(path, headers=CSV), 429, "RATE_LIMIT_EXCEEDED")
                assert table(caller.get(f"{path}?limit=5", headers=CSV)) == []
                ok(caller.get(path))
        assert table(member.client.get(PATH, headers=CSV)) == []


def test_a_long_history_is_complete(client: Client) -> None:
    member = client.sign_up()
    keys = [key_of(member) for _ in range(30)]
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(60)]
    save(client, *(key.requests(day, 1, 10**15) for key in keys for day in days))
    with member.client.get(f"{PATH}?from=2026-01-01", headers=CSV) as response:
        rows = table(response)
        assert response.content_length == len(response.data)
    assert len({(row["day"], row["key_id"]) for row in rows}) == len(rows) == 1_800
    assert [row["day"] for row in rows] == sorted((row["day"] for row in rows), reverse=True)
