"""POST /api/auth/api-key/regenerate"""

import pytest

from tests.clients import Client, assert_needs_access_token, error, ok

PATH = "/api/auth/api-key/regenerate"


def primary_key(client: Client) -> dict[str, object]:
    (key,) = [key for key in ok(client.get("/api/auth/api-keys")) if key["is_primary"]]
    return dict(key)


class TestSucceeds:
    @pytest.mark.both_databases
    def test_the_old_key_is_dead_and_the_new_one_works_at_once(self, client: Client) -> None:
        """S20: a dead key is refused from the moment that the answer was sent."""
        member = client.sign_up()
        data = ok(member.client.post(PATH))
        assert set(data) == {"api_key", "key"}
        response = member.key_client.get("/api/v1/authorize")
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        assert client.as_key(data["api_key"]).get("/api/v1/authorize").status_code == 200
        assert primary_key(member.client) == {
            **data["key"],
            "last_used_at": primary_key(member.client)["last_used_at"],
        }

    def test_the_old_key_names_its_successor(self, client: Client) -> None:
        member = client.sign_up()
        old_id = primary_key(member.client)["id"]
        new_id = ok(member.client.post(PATH))["key"]["id"]
        path = f"/api/auth/api-keys/{old_id}?include_revoked=true"
        old_key = ok(member.client.get(path))
        assert old_key["replaced_by"] == new_id
        assert not old_key["is_active"]
        assert not old_key["is_primary"]

    def test_other_keys_live_on(self, client: Client) -> None:
        member = client.sign_up()
        other = member.create_key()["api_key"]
        ok(member.client.post(PATH))
        assert client.as_key(other).get("/api/v1/authorize").status_code == 200

    def test_a_primary_key_that_was_revoked_comes_back(self, client: Client) -> None:
        member = client.sign_up()
        path = f"/api/auth/api-keys/{primary_key(member.client)['id']}"
        ok(member.client.delete(path), 204)
        data = ok(member.client.post(PATH))
        assert data["key"]["is_primary"]
        assert client.as_key(data["api_key"]).get("/api/v1/authorize").status_code == 200

    def test_there_is_one_primary_key_after_any_number_of_times(self, client: Client) -> None:
        member = client.sign_up()
        keys = [ok(member.client.post(PATH))["key"]["id"] for _ in range(3)]
        assert primary_key(member.client)["id"] == keys[-1]


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "POST", PATH)

    def test_nobody_regenerates_anothers_key(self, client: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        ok(member.client.post(PATH))
        assert other.key_client.get("/api/v1/authorize").status_code == 200
