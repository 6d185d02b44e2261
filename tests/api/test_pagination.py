"""Lists: `limit`, `cursor`, `next_cursor`; newest first."""

import pytest

from tests.cases import for_each
from tests.clients import Client, Member, issues, ok
from tests.factories.accounts import set_plan

LISTS = ["/api/auth/events", "/api/auth/sessions", "/api/auth/api-keys", "/api/agents"]


def fill(client: Client, count: int) -> Member:
    """A member with `count` or more of everything."""
    member = client.sign_up()
    set_plan(member, "scale")
    for _ in range(count):
        client.log_in(member)
        member.create_key()
        member.create_agent()
    return member


def walk(client: Client, path: str, limit: int) -> list[str]:
    """The ids of all pages, none longer than `limit`, all but the last full."""
    ids: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"{path}?limit={limit}{cursor}")
        found = [item["id"] for item in ok(page)]
        ids += found
        next_cursor = page.get_json()["meta"]["next_cursor"]
        assert len(found) == limit if next_cursor else len(found) <= limit
        if next_cursor is None:
            return ids
        assert isinstance(next_cursor, str)
        cursor = f"&cursor={next_cursor}"


class TestPages:
    @pytest.mark.both_databases
    def test_the_pages_are_the_list_in_order_and_nothing_twice(self, client: Client) -> None:
        member = fill(client, 4)
        for path in LISTS:
            whole = [item["id"] for item in ok(member.client.get(f"{path}?limit=100"))]
            assert len(whole) >= 4
            assert whole == sorted(whole, reverse=True)
            for limit in (1, 3, len(whole), len(whole) + 1):
                assert walk(member.client, path, limit) == whole

    def test_without_a_limit_a_page_has_50(self, client: Client) -> None:
        member = client.sign_up()
        set_plan(member, "scale")
        for _ in range(51):
            member.create_key()
        page = member.client.get("/api/auth/api-keys")
        assert len(ok(page)) == 50
        cursor = page.get_json()["meta"]["next_cursor"]
        assert len(ok(member.client.get(f"/api/auth/api-keys?cursor={cursor}"))) == 2

    @pytest.mark.both_databases
    def test_what_is_new_does_not_shift_the_next_page(self, client: Client) -> None:
        member = fill(client, 3)
        first = member.client.get("/api/agents?limit=2")
        member.create_agent()
        cursor = first.get_json()["meta"]["next_cursor"]
        rest = ok(member.client.get(f"/api/agents?limit=2&cursor={cursor}"))
        ids = [agent["id"] for agent in [*ok(first), *rest]]
        assert len(set(ids)) == 3

    def test_an_empty_list_has_no_next_page(self, client: Client) -> None:
        response = client.sign_up().client.get("/api/agents")
        assert response.get_json() == {"data": [], "meta": {"next_cursor": None}}

    @pytest.mark.both_databases
    def test_a_cursor_of_another_account_shows_the_own_things_alone(self, client: Client) -> None:
        """S25: a cursor is no way into another account."""
        other = fill(client, 3)
        member = client.sign_up()
        cursor = other.client.get("/api/agents?limit=1").get_json()["meta"]["next_cursor"]
        assert ok(member.client.get(f"/api/agents?cursor={cursor}")) == []


class TestRejectsInput:
    @for_each("path", LISTS)
    @for_each(
        "limit",
        [
            "0",
            "101",
            "-1",
            "1.5",
            "x",
            "",
            " 5",
            "+5",
            "1e1",
            "\N{ARABIC-INDIC DIGIT FIVE}",
            "9" * 5000,
        ],
    )
    def test_a_limit_is_1_to_100(self, client: Client, path: str, limit: str) -> None:
        """S29: page sizes are bounded."""
        response = client.sign_up().client.get(path, query_string={"limit": limit})
        assert set(issues(response)) == {("limit",)}

    @for_each(
        "cursor",
        ["", "x", "0" * 25, "8" + "0" * 25, "U" * 26, "0" * 27, "\0" * 26, "é" * 26, "' OR 1=1"],
    )
    def test_a_cursor_comes_from_the_page_before(self, client: Client, cursor: str) -> None:
        member = client.sign_up()
        for path in LISTS:
            response = member.client.get(path, query_string={"cursor": cursor})
            assert set(issues(response)) == {("cursor",)}

    def test_the_ends_of_the_range_are_fine(self, client: Client) -> None:
        member = client.sign_up()
        for path in LISTS:
            for query in ("limit=1", "limit=100", f"cursor={'0' * 26}", f"cursor=7{'z' * 25}"):
                ok(member.client.get(f"{path}?{query}"))
