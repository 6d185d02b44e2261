"""What an operator looks for and sees of any account, and ends: as on the command line."""

import pytest
import time_machine

from ragauth import clock
from tests.clients import Client, error, issues, ok
from tests.factories.api_keys import make_service_key

INTERNAL = "/api/v1/internal"
NO_ACCOUNT = "acc_01h455vb4pex5vsknk084sn02q"


@pytest.fixture
def service(client: Client) -> Client:
    return client.as_key(make_service_key(client.app, "accounts", "keys", "usage"))


@pytest.mark.both_databases
class TestFindsAccounts:
    def test_by_a_part_of_a_name_or_by_how_the_id_begins(
        self, client: Client, service: Client
    ) -> None:
        one, other = client.sign_up(), client.sign_up()
        path = f"{INTERNAL}/accounts/{one.id}"
        ok(service.patch(path, {"external_id": "Große-42_%", "plan": "pro"}))

        def found(query: str) -> list[str]:
            return [row["id"] for row in ok(service.get(f"{INTERNAL}/accounts?{query}"))]

        assert found("search=gRO%C3%9FE-42") == [one.id]
        assert found(f"search={other.email[:-4].upper()}") == [other.id]
        assert found(f"search={one.id[:-1]}") == [one.id]
        assert found("search=%25") == [one.id], "a percent sign is no wildcard"
        assert found(f"search={other.email}&plan=pro") == []
        assert found("search=nowhere") == []

    def test_a_page_at_a_time(self, client: Client, service: Client) -> None:
        ids = [client.sign_up().id for _ in range(3)]
        first = service.get(f"{INTERNAL}/accounts?search=example.com&limit=2").get_json()
        cursor = first["meta"]["next_cursor"]
        rest = ok(service.get(f"{INTERNAL}/accounts?search=example.com&cursor={cursor}"))
        assert [row["id"] for row in (*first["data"], *rest)] == ids[::-1]


@pytest.mark.both_databases
class TestFindsKeys:
    def test_by_how_they_begin_with_whose_they_are(self, client: Client, service: Client) -> None:
        one, other = client.sign_up(), client.sign_up()
        [key] = ok(one.client.get("/api/auth/api-keys"))
        [found] = ok(service.get(f"{INTERNAL}/api-keys?prefix={key['prefix']}"))
        assert found == {**key, "account_id": one.id}
        every = ok(service.get(f"{INTERNAL}/api-keys"))
        # Without the service's own key.
        assert [row["account_id"] for row in every] == [other.id, one.id]
        assert ok(service.get(f"{INTERNAL}/api-keys?prefix=rag_svc_")) == []

    def test_dead_ones_if_asked_for_and_none_of_a_deleted_account(
        self, client: Client, service: Client
    ) -> None:
        member, gone = client.sign_up(), client.sign_up()
        [key] = ok(member.client.get("/api/auth/api-keys"))
        ok(service.delete(f"{INTERNAL}/api-keys/{key['id']}"), 204)
        ok(service.delete(f"{INTERNAL}/accounts/{gone.id}"), 204)
        assert ok(service.get(f"{INTERNAL}/api-keys?prefix=rag_")) == []
        dead = ok(service.get(f"{INTERNAL}/api-keys?prefix=rag_&include_revoked=true"))
        assert [row["id"] for row in dead] == [key["id"]]

    def test_never_by_a_whole_key(self, client: Client, service: Client) -> None:
        key = client.sign_up().api_key
        assert set(issues(service.get(f"{INTERNAL}/api-keys?prefix={key}"))) == {("prefix",)}


class TestSeesAnAccount:
    def test_its_limits_and_events_as_its_owner_does(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        [key] = ok(member.client.get("/api/auth/api-keys"))
        assert member.key_client.get("/api/v1/authorize").status_code == 200
        path = f"{INTERNAL}/accounts/{member.id}"
        ok(service.patch(path, {"external_id": "c/17"}))
        # Each tells in how many seconds it begins anew.
        with time_machine.travel(clock.now(), tick=False):
            for query in ("", f"?key_id={key['id']}"):
                own = ok(member.client.get(f"/api/auth/limits{query}"))
                assert ok(service.get(f"{path}/limits{query}")) == own
        own = ok(member.client.get("/api/auth/events"))
        assert ok(service.get(f"{INTERNAL}/accounts/ext:c%2F17/events")) == own
        assert own[0]["name"] == "account:changed"

    def test_its_sessions_and_ends_one_or_all(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        others = [client.as_user(client.log_in(member)["token"]) for _ in range(2)]
        path = f"{INTERNAL}/accounts/{member.id}/sessions"
        owners = ok(member.client.get("/api/auth/sessions"))
        shown = ok(service.get(path))
        assert shown == [
            {name: value for name, value in session.items() if name != "current"}
            for session in owners
        ]
        ok(service.delete(f"{path}/{shown[0]['id']}"), 204)
        error(service.delete(f"{path}/{shown[0]['id']}"), 404, "NOT_FOUND")
        assert member.event_names()[0] == "session:ended"
        error(others[-1].get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "revoked")
        ok(service.delete(path), 204)
        assert ok(service.get(path)) == []
        error(member.client.get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "revoked")
        events = ok(service.get(f"{INTERNAL}/accounts/{member.id}/events"))
        assert (events[0]["name"], events[0]["details"]) == ("session:all_ended", {"count": 2})

    def test_nothing_of_one_that_is_not_there(self, client: Client, service: Client) -> None:
        path = f"{INTERNAL}/accounts/{NO_ACCOUNT}"
        [session] = ok(client.sign_up().client.get("/api/auth/sessions"))
        for rest in ("limits", "events", "sessions"):
            error(service.get(f"{path}/{rest}"), 404, "NOT_FOUND")
        error(service.delete(f"{path}/sessions"), 404, "NOT_FOUND")
        error(service.delete(f"{path}/sessions/{session['id']}"), 404, "NOT_FOUND")

    @pytest.mark.both_databases
    def test_no_key_and_no_session_of_another(self, client: Client, service: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        [key] = ok(other.client.get("/api/auth/api-keys"))
        [session] = ok(other.client.get("/api/auth/sessions"))
        path = f"{INTERNAL}/accounts/{member.id}"
        error(service.get(f"{path}/limits?key_id={key['id']}"), 404, "NOT_FOUND")
        error(service.delete(f"{path}/sessions/{session['id']}"), 404, "NOT_FOUND")
        ok(other.client.get("/api/auth/me"))


class TestCompares:
    @pytest.mark.both_databases
    def test_the_accounts_that_used_most(self, client: Client, service: Client) -> None:
        little, much = client.sign_up(), client.sign_up()
        assert little.key_client.get("/api/v1/authorize?cost=9").status_code == 200
        for _ in range(2):
            assert much.key_client.get("/api/v1/authorize").status_code == 200
        path = f"{INTERNAL}/usage/top"
        by_requests = ok(service.get(path))
        assert by_requests == [
            {"account_id": much.id, "requests": 2, "units": 2, "use": {}},
            {"account_id": little.id, "requests": 1, "units": 9, "use": {}},
        ]
        assert ok(service.get(f"{path}?by=units&limit=1&days=1")) == by_requests[:0:-1]

    def test_by_what_is_counted_alone(self, service: Client) -> None:
        for query in ("by=email", "days=0", "limit=101"):
            name = query.partition("=")[0]
            assert set(issues(service.get(f"{INTERNAL}/usage/top?{query}"))) == {(name,)}


def test_tells_the_policy(service: Client) -> None:
    policy = ok(service.get(f"{INTERNAL}/policy"))
    assert policy["plans"][0] == {
        "name": "trial",
        "max_keys": 5,
        "max_agents": 2,
        "limits": [
            {"meter": "requests", "window": "minute", "size": 60},
            {"meter": "requests", "window": "month", "size": 1_000},
        ],
        "features": [],
    }
    assert policy["meters"] == [{"name": "requests", "description": "Allowed checks"}]


def test_each_takes_one_scope(client: Client) -> None:
    account = f"{INTERNAL}/accounts/{client.sign_up().id}"
    asked = {
        f"{INTERNAL}/accounts?search=x": "accounts",
        f"{account}/limits": "accounts",
        f"{account}/events": "accounts",
        f"{account}/sessions": "accounts",
        f"{INTERNAL}/policy": "accounts",
        f"{INTERNAL}/api-keys?prefix=rag_": "keys",
        f"{INTERNAL}/usage/top": "usage",
    }
    for scope in ("accounts", "keys", "usage", "verify", "webhooks"):
        service = client.as_key(make_service_key(client.app, scope))
        for path, needed in asked.items():
            status = service.get(path).status_code
            assert status == (200 if scope == needed else 403), (path, scope)
        ends = service.delete(f"{account}/sessions")
        assert ends.status_code == (204 if scope == "accounts" else 403)
