"""`external_id` and `metadata` of accounts: what only operators read and write."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.cases import for_each
from tests.clients import Client, error, issues, ok
from tests.factories.accounts import set_plan, suspend
from tests.factories.api_keys import make_service_key

ACCOUNTS = "/api/v1/internal/accounts"


@pytest.fixture
def service(client: Client) -> Client:
    return client.as_key(make_service_key(client.app, "accounts"))


def find(service: Client, **query: Any) -> list[str]:
    return [account["id"] for account in ok(service.get(f"{ACCOUNTS}?{urlencode(query)}"))]


class TestSucceeds:
    @pytest.mark.both_databases
    def test_they_are_set_shown_kept_and_taken_away(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        path = f"{ACCOUNTS}/{member.id}"
        kept: dict[str, Any] = {"external_id": None, "metadata": None}
        for changes in (
            {},
            {"external_id": "c/17 ä", "metadata": {"crm": [1, None]}},
            {"plan": "pro"},
            {"metadata": {"crm": [True]}},
            {"metadata": {"crm": [1]}},
            {"external_id": "c/17 ä"},
            {"external_id": "C/17 ä"},
            {"metadata": {}},
            {"external_id": None, "metadata": None},
        ):
            kept |= {name: value for name, value in changes.items() if name in kept}
            for response in (service.patch(path, changes), service.get(path)):
                data = ok(response)
                # As text, for to Python 1 is true.
                assert repr({name: data[name] for name in kept}) == repr(kept)
            [listed] = ok(service.get(ACCOUNTS))
            assert listed == data

    def test_their_owner_is_not_told(self, client: Client, service: Client) -> None:
        """S27: an event names what was changed alone."""
        member = client.sign_up()
        me = ok(member.client.get("/api/auth/me"))
        kept = {"external_id": "what-they-call-me", "metadata": {"what": "they-know"}}
        ok(service.patch(f"{ACCOUNTS}/{member.id}", kept))
        assert ok(member.client.get("/api/auth/me")) == me
        assert ok(member.key_client.get("/api/v1/me"))["account"] == me
        assert client.log_in(member)["account"] == me
        events = member.client.get("/api/auth/events")
        [changed] = [one for one in ok(events) if one["name"] == "account:changed"]
        assert changed["details"] == {"fields": ["external_id", "metadata"]}
        assert "they" not in events.text

    def test_what_stays_the_same_is_no_event(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        path = f"{ACCOUNTS}/{member.id}"
        for kept in (
            *({"external_id": "c-17", "metadata": {"a": 1}},) * 2,
            {"external_id": "c-17", "metadata": {"a": True}},
        ):
            ok(service.patch(path, kept))
        fields = [
            one["details"]["fields"]
            for one in ok(member.client.get("/api/auth/events"))
            if one["name"] == "account:changed"
        ]
        assert fields == [["metadata"], ["external_id", "metadata"]]


@pytest.mark.both_databases
class TestSearches:
    def test_by_external_id_address_plan_and_status(self, client: Client, service: Client) -> None:
        members = [client.sign_up() for _ in range(4)]
        ids = [member.id for member in members]
        kept = {"external_id": "c-17", "metadata": {"c-18": "c-19"}}
        ok(service.patch(f"{ACCOUNTS}/{ids[0]}", kept))
        for member in members[:3]:
            set_plan(member, "pro")
        suspend(members[1])
        for query, found in (
            ({"external_id": "c-17"}, [0]),
            ({"external_id": "c-17", "plan": "pro", "status": "active"}, [0]),
            ({"external_id": "c-17", "plan": "trial"}, []),
            ({"external_id": "c-17", "status": "suspended"}, []),
            ({"external_id": "c-17", "email": members[0].email.upper()}, [0]),
            ({"external_id": "c-17", "email": members[1].email}, []),
            *(({"external_id": text}, []) for text in ("C-17", "c-1", "c-17 ", "c-18", "%", "")),
            ({"plan": "pro"}, [2, 1, 0]),
            ({"plan": "pro", "limit": 2}, [2, 1]),
            ({"plan": "pro", "status": "active"}, [2, 0]),
            ({"status": "suspended"}, [1]),
            ({"email": members[1].email, "status": "active"}, []),
            ({"plan": "scale"}, []),
        ):
            assert find(service, **query) == [ids[number] for number in found], query

    def test_page_by_page(self, client: Client, service: Client) -> None:
        ids = [client.sign_up().id for _ in range(5)]
        found, cursor = [], {}
        for _ in range(3):
            query = urlencode({"plan": "trial", "status": "active", "limit": 2, **cursor})
            body = service.get(f"{ACCOUNTS}?{query}").get_json()
            found += [account["id"] for account in body["data"]]
            cursor = {"cursor": body["meta"]["next_cursor"]}
        assert (found, cursor) == (ids[::-1], {"cursor": None})


@pytest.mark.both_databases
class TestOneAccountHasIt:
    def test_a_taken_external_id_is_409_and_changes_nothing(
        self, client: Client, service: Client
    ) -> None:
        one, other = client.sign_up(), client.sign_up()
        ok(service.patch(f"{ACCOUNTS}/{one.id}", {"external_id": "c-17"}))
        path = f"{ACCOUNTS}/{other.id}"
        changes = {
            "external_id": "c-17",
            "metadata": {"a": 1},
            "plan": "pro",
            "status": "suspended",
        }
        refused = service.patch(path, changes)
        error(refused, 409, "CONFLICT")
        assert "An account with this external id already exists" in refused.text
        data = ok(service.get(path))
        assert (data["external_id"], data["metadata"]) == (None, None)
        assert (data["plan"], data["status"]) == ("trial", "active")
        ok(service.patch(f"{ACCOUNTS}/{one.id}", {"external_id": None}))
        ok(service.patch(path, {"external_id": "c-17"}))

    def test_a_deleted_account_leaves_it(self, client: Client, service: Client) -> None:
        one, other = client.sign_up(), client.sign_up()
        ok(service.patch(f"{ACCOUNTS}/{one.id}", {"external_id": "c-17"}))
        ok(one.client.post("/api/auth/me/delete", {"password": one.password}), 204)
        assert find(service, external_id="c-17") == []
        ok(service.patch(f"{ACCOUNTS}/{other.id}", {"external_id": "c-17"}))

    def test_of_several_at_once_one_gets_it(self, client: Client, service: Client) -> None:
        members = [client.sign_up() for _ in range(4)]
        barrier = Barrier(len(members))

        def take(account_id: str) -> int:
            barrier.wait()
            body = {"external_id": "c-17"}
            return service.patch(f"{ACCOUNTS}/{account_id}", body).status_code

        with ThreadPoolExecutor(len(members)) as threads:
            statuses = list(threads.map(take, [member.id for member in members]))
        assert sorted(statuses) == [200, 409, 409, 409]
        assert find(service, external_id="c-17") == [members[statuses.index(200)].id]


class TestRejectsInput:
    @for_each("external_id", ["", "a" * 256, " a", "a\u2003", "\u00a0", 17, ["a"]])
    def test_what_no_external_id_can_be(
        self, client: Client, service: Client, external_id: Any
    ) -> None:
        path = f"{ACCOUNTS}/{client.sign_up().id}"
        body = {"external_id": external_id, "metadata": {"a": ["\0"]}}
        found = issues(service.patch(path, body))
        assert set(found) == {("external_id",), ("metadata", "a", 0)}

    @for_each("text", ["\0", "\n", "\x1b[2J", "\u202e", "\u200b", "\ufeff", "\ud800"])
    def test_what_deceives_who_reads_it(self, client: Client, service: Client, text: str) -> None:
        """S46: an external id is shown as names are."""
        path = f"{ACCOUNTS}/{client.sign_up().id}"
        assert set(issues(service.patch(path, {"external_id": f"c{text}17"}))) == {("external_id",)}

    @for_each(
        ("query", "field"),
        [("plan=gold", "plan"), ("status=deleted", "status"), ("metadata=a", "metadata")],
    )
    def test_what_nothing_can_be_searched_by(self, service: Client, query: str, field: str) -> None:
        assert set(issues(service.get(f"{ACCOUNTS}?{query}"))) == {(field,)}

    def test_the_longest_external_id_is_taken(self, client: Client, service: Client) -> None:
        longest = "😀" * 255
        path = f"{ACCOUNTS}/{client.sign_up().id}"
        assert ok(service.patch(path, {"external_id": longest}))["external_id"] == longest
        assert len(find(service, external_id=longest)) == 1

    @for_each("field", ["external_id", "metadata"])
    def test_an_owner_cannot_set_them(self, client: Client, field: str) -> None:
        """S26: nobody gives themselves what is the operator's."""
        response = client.sign_up().client.patch("/api/auth/me", {field: None})
        assert issues(response) == {(field,): "Unknown field"}
