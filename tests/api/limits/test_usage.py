"""Usage as the dashboard, the operator's services and the keys' list show it."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from ragauth.services.limits import usage
from ragauth.services.limits.limits import current_limits
from tests.cases import for_each
from tests.clients import Client, error, issues, ok
from tests.factories.api_keys import make_service_key

FIRST = datetime(2027, 5, 1, 12, tzinfo=UTC)


def save(app: Flask) -> None:
    """What a server does beside the requests."""
    with app.app_context():
        usage.save_usage(current_limits().counters)


class TestTheDashboard:
    @pytest.mark.every_database
    def test_has_a_row_a_day_and_key_the_newest_day_first(self, client: Client) -> None:
        with time_machine.travel(FIRST, tick=False) as traveller:
            member = client.sign_up()
            further = member.create_key()
            for day in range(3):
                traveller.move_to(FIRST + timedelta(days=day))
                for _ in range(day + 1):
                    member.key_client.get("/api/v1/authorize?cost=5")
                client.as_key(further["api_key"]).get("/api/v1/authorize")
            caller = client.as_user(client.log_in(member)["token"])
            rows = ok(caller.get("/api/auth/usage?from=2027-05-02&to=2027-05-03"))
        assert [row["day"] for row in rows] == ["2027-05-03"] * 2 + ["2027-05-02"] * 2
        assert {(row["day"], row["requests"], row["units"]) for row in rows} == {
            ("2027-05-03", 1, 1),
            ("2027-05-03", 3, 15),
            ("2027-05-02", 1, 1),
            ("2027-05-02", 2, 10),
        }
        assert {row["key_id"] for row in rows if row["requests"] == 1} == {further["id"]}
        assert {row["environment"] for row in rows} == {"live"}
        assert set(rows[0]) == {"day", "key_id", "environment", "requests", "units", "use"}

    def test_without_bounds_shows_the_present_month(self, client: Client) -> None:
        with time_machine.travel(FIRST - timedelta(days=1), tick=False) as traveller:
            member = client.sign_up()
            member.key_client.get("/api/v1/authorize")
            traveller.shift(86_400)
            member.key_client.get("/api/v1/authorize")
            caller = client.as_user(client.log_in(member)["token"])
            assert [row["day"] for row in ok(caller.get("/api/auth/usage"))] == ["2027-05-01"]

    @pytest.mark.every_database
    def test_goes_on_page_by_page(self, client: Client) -> None:
        member = client.sign_up()
        for key in [member.api_key, *(member.create_key()["api_key"] for _ in range(2))]:
            client.as_key(key).get("/api/v1/authorize")
        seen, cursor = [], ""
        while True:
            response = member.client.get(f"/api/auth/usage?limit=1{cursor}")
            seen += [row["key_id"] for row in ok(response)]
            following = response.get_json()["meta"]["next_cursor"]
            if following is None:
                break
            cursor = f"&cursor={following}"
        assert len(seen) == len(set(seen)) == 3

    @for_each(
        ("query", "path"),
        [
            ("from=yesterday", "from"),
            ("to=2027-02-30", "to"),
            ("from=2027-05-02&to=2027-05-01", "to"),
            ("cursor=x", "cursor"),
            ("cursor=2027-13-01.01h455vb4pex5vsknk084sn02q", "cursor"),
            ("cursor=2027-05.01h455vb4pex5vsknk084sn02q", "cursor"),
            ("group_by=month&cursor=2027-00.01h455vb4pex5vsknk084sn02q.live", "cursor"),
            ("group_by=day&cursor=2027-05-01.01h455vb4pex5vsknk084sn02q.dev", "cursor"),
            ("group_by=day&cursor=2027-05-01.81h455vb4pex5vsknk084sn02q.live", "cursor"),
            ("key_id=acc_01h455vb4pex5vsknk084sn02q", "key_id"),
            ("group_by=week", "group_by"),
            ("limit=0", "limit"),
            ("day=1", "day"),
        ],
    )
    def test_words_what_does_not_fit(self, client: Client, query: str, path: str) -> None:
        response = client.sign_up().client.get(f"/api/auth/usage?{query}")
        assert set(issues(response)) == {(path,)}

    def test_shows_nobody_elses(self, client: Client) -> None:
        client.sign_up().key_client.get("/api/v1/authorize")
        assert ok(client.sign_up().client.get("/api/auth/usage")) == []


class TestTheOperator:
    def test_sees_all_accounts_or_one(self, client: Client) -> None:
        members = [client.sign_up() for _ in range(2)]
        for member in members:
            member.key_client.get("/api/v1/authorize?cost=3")
        service = client.as_key(make_service_key(client.app, "usage"))
        rows = ok(service.get("/api/v1/internal/usage"))
        assert {(row["account_id"], row["units"]) for row in rows} == {
            (member.id, 3) for member in members
        }
        [row] = ok(service.get(f"/api/v1/internal/usage?account_id={members[0].id}"))
        assert row["account_id"] == members[0].id

    def test_needs_the_scope_usage(self, client: Client) -> None:
        other = client.as_key(make_service_key(client.app, "verify", "accounts"))
        error(other.get("/api/v1/internal/usage"), 403, "AUTHORIZATION_ERROR", "insufficient_scope")
        customer = client.sign_up().key_client
        error(
            customer.get("/api/v1/internal/usage"),
            401,
            "AUTHENTICATION_ERROR",
            "wrong_credential_type",
        )


class TestKeys:
    def test_last_used_at_travels_with_the_usage(self, client: Client) -> None:
        member = client.sign_up()
        assert ok(member.key_client.get("/api/v1/me"))["key"]["last_used_at"] is None
        member.key_client.get("/api/v1/authorize")
        save(client.app)
        assert ok(member.key_client.get("/api/v1/me"))["key"]["last_used_at"] is not None

    @pytest.mark.both_databases
    def test_saving_twice_or_late_changes_nothing(self, client: Client) -> None:
        member = client.sign_up()
        for _ in range(2):
            member.key_client.get("/api/v1/authorize?cost=4")
            save(client.app)
            save(client.app)
        [row] = ok(member.client.get("/api/auth/usage"))
        assert (row["requests"], row["units"]) == (2, 8)

    @pytest.mark.every_database
    def test_idle_days_finds_the_keys_that_nobody_uses(self, client: Client) -> None:
        with time_machine.travel(FIRST, tick=False) as traveller:
            member = client.sign_up()
            never_used = member.create_key(name="never used")
            traveller.shift(80 * 86_400)
            member.key_client.get("/api/v1/authorize")
            save(client.app)
            traveller.shift(15 * 86_400)
            caller = client.as_user(client.log_in(member)["token"])
            young = ok(caller.post("/api/auth/api-keys", {"name": "young"}), 201)
            idle = ok(caller.get("/api/auth/api-keys?idle_days=90"))
            assert [key["id"] for key in idle] == [never_used["id"]]
            assert young["id"] in {key["id"] for key in ok(caller.get("/api/auth/api-keys"))}
