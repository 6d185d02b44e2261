"""GET /api/auth/api-keys and GET /api/auth/api-keys/{id}"""

import pytest
from sqlalchemy import text

from ragauth.extensions import db
from ragauth.services.limits import usage
from tests.clients import Client, assert_needs_access_token, assert_same_answer, error, issues, ok
from tests.factories.accounts import set_plan

PATH = "/api/auth/api-keys"
NO_KEY = f"{PATH}/key_01h455vb4pex5vsknk084sn02q"
NO_AGENT = "agt_01h455vb4pex5vsknk084sn02q"


def names(client: Client, query: str = "") -> list[str]:
    return [key["name"] for key in ok(client.get(PATH + query))]


@pytest.mark.both_ways
class TestSucceeds:
    @pytest.mark.both_databases
    def test_the_keys_are_listed_newest_first_agents_keys_too(self, client: Client) -> None:
        member = client.sign_up()
        member.create_key(name="second")
        member.create_key(name="third", agent_id=member.create_agent()["id"])
        assert names(member.client) == ["third", "second", "Primary"]

    @pytest.mark.both_databases
    def test_an_agents_keys_can_be_asked_for(self, client: Client) -> None:
        member = client.sign_up()
        agent, empty = member.create_agent(), member.create_agent()
        member.create_key(name="bot", agent_id=agent["id"])
        assert names(member.client, f"?agent_id={agent['id']}") == ["bot"]
        assert names(member.client, f"?agent_id={empty['id']}") == []

    @pytest.mark.every_database
    def test_one_who_writes_for_long_holds_up_none_who_reads(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only `last_used_at` may lag behind by then."""
        monkeypatch.setattr(usage, "_READERS_WAIT_MS", 20)
        member = client.sign_up()
        assert member.key_client.get("/api/v1/authorize").status_code == 200
        with client.app.app_context():
            engine = db.engine
        with engine.begin() as other:
            other.execute(text("UPDATE api_keys SET name = name"))
            (key,) = ok(member.client.get(PATH))
            assert ok(member.client.get(f"{PATH}/{key['id']}")) == key
        (key,) = ok(member.client.get(PATH))
        assert key["last_used_at"] is not None

    def test_revoked_keys_are_listed_when_they_are_asked_for(self, client: Client) -> None:
        member = client.sign_up()
        key = member.create_key(name="dead")
        ok(member.client.delete(f"{PATH}/{key['id']}"), 204)
        assert names(member.client) == ["Primary"]
        assert names(member.client, "?include_revoked=false") == ["Primary"]
        assert names(member.client, "?include_revoked=true") == ["dead", "Primary"]
        path = f"{PATH}/{key['id']}"
        error(member.client.get(path), 404, "NOT_FOUND")
        assert not ok(member.client.get(f"{path}?include_revoked=true"))["is_active"]

    def test_one_key_can_be_looked_at(self, client: Client) -> None:
        member = client.sign_up()
        (key,) = ok(member.client.get(PATH))
        assert ok(member.client.get(f"{PATH}/{key['id']}")) == key

    @pytest.mark.every_database
    def test_a_long_list_comes_in_pages(self, client: Client) -> None:
        member = client.sign_up()
        set_plan(member, "scale")
        for number in range(4):
            member.create_key(name=str(number))
        first = member.client.get(f"{PATH}?limit=3").get_json()
        cursor = first["meta"]["next_cursor"]
        assert [key["name"] for key in first["data"]] == ["3", "2", "1"]
        assert names(member.client, f"?limit=3&cursor={cursor}") == ["0", "Primary"]


@pytest.mark.both_ways
class TestRejectsInput:
    def test_all_faults_of_the_query_are_named_at_once(self, client: Client) -> None:
        response = client.sign_up().client.get(
            f"{PATH}?limit=0&cursor=x&agent_id=x&include_revoked=1&order=asc"
        )
        assert set(issues(response)) == {
            *(("limit",), ("cursor",), ("agent_id",), ("include_revoked",), ("order",))
        }

    def test_path_and_query_are_judged_together(self, client: Client) -> None:
        response = client.sign_up().client.get(f"{PATH}/x?include_revoked=x")
        assert set(issues(response)) == {("key_id",), ("include_revoked",)}

    def test_a_parameter_stands_once(self, client: Client) -> None:
        response = client.sign_up().client.get(f"{PATH}?limit=1&limit=2")
        assert set(issues(response)) == {("limit",)}


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "GET", PATH)
        assert_needs_access_token(client, "GET", NO_KEY)


class TestEnforcesOwnership:
    @pytest.mark.both_databases
    def test_anothers_key_and_no_key_are_one_answer(self, client: Client) -> None:
        """S25: another account's thing and no thing are one answer."""
        member, other = client.sign_up(), client.sign_up()
        (others_key,) = ok(other.client.get(PATH))
        nothing = member.client.get(NO_KEY)
        error(nothing, 404, "NOT_FOUND")
        for query in ("", "?include_revoked=true"):
            response = member.client.get(f"{PATH}/{others_key['id']}{query}")
            assert_same_answer(response, nothing)

    def test_anothers_agent_and_no_agent_are_one_answer(self, client: Client) -> None:
        """S25: another account's thing and no thing are one answer."""
        member, other = client.sign_up(), client.sign_up()
        nothing = member.client.get(f"{PATH}?agent_id={NO_AGENT}")
        error(nothing, 404, "NOT_FOUND")
        response = member.client.get(f"{PATH}?agent_id={other.create_agent()['id']}")
        assert_same_answer(response, nothing)

    def test_everybody_sees_their_own_keys_alone(self, client: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        other.create_key(name="theirs")
        assert names(member.client, "?include_revoked=true") == ["Primary"]
