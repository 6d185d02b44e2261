"""An account, a session, an agent and a key are the same thing through every face."""

import re
import uuid

import pytest

from ragauth.security.identifiers import ACCOUNT, AGENT, KEY, decode_id
from ragauth.services.accounts import accounts
from tests.clients import PASSWORD, Client, error, ok
from tests.compat.ragchats.test_refresh import log_in
from tests.factories.accounts import suspend
from tests.factories.api_keys import make_service_key

RST = "/compat/rst/v1"
RAGCHATS = "/compat/ragchats/api"
UNKEY = "/compat/unkey/v2"
HERSHEL = {
    "username": "hershel",
    "email": "hershel@example.com",
    "password": "secureP@ss123",
    "full_name": "Hershel Moshkovitz",
}


def rst_token(faces: Client, username: str, password: str) -> str:
    response = faces.post(f"{RST}/auth/login", {"username": username, "password": password})
    assert response.status_code == 200, response.text
    token: str = response.get_json()["access_token"]
    return token


class TestAccounts:
    def test_one_that_registered_at_rst_logs_in_everywhere(self, faces: Client) -> None:
        user = faces.post(f"{RST}/auth/register", HERSHEL).get_json()
        body = {"email": HERSHEL["email"], "password": HERSHEL["password"]}
        account = ok(faces.post("/api/auth/login", body))["account"]
        assert decode_id(ACCOUNT, account["id"]) == uuid.UUID(user["id"])
        assert (account["username"], account["name"]) == ("hershel", "Hershel Moshkovitz")
        assert account["plan"] == "trial"
        chats = faces.post(f"{RAGCHATS}/auth/login/", body).get_json()["user"]
        assert chats["id"] == user["id"]
        assert (chats["firstName"], chats["lastName"]) == ("Hershel", "Moshkovitz")

    def test_registering_opens_no_session_and_makes_no_key(self, faces: Client) -> None:
        faces.post(f"{RST}/auth/register", HERSHEL)
        caller = faces.as_user(rst_token(faces, "hershel", HERSHEL["password"]))
        assert ok(caller.get("/api/auth/api-keys")) == []
        assert len(ok(caller.get("/api/auth/sessions"))) == 1
        key = ok(caller.post("/api/auth/api-key/regenerate"))["key"]
        assert key["is_primary"]

    def test_one_that_signed_up_without_a_username_is_known_by_its_email(
        self, faces: Client
    ) -> None:
        member = faces.sign_up()
        token = rst_token(faces, member.email, PASSWORD)
        ok(faces.as_user(token).get("/api/auth/me"))
        response = faces.as_key(member.api_key).get(f"{RST}/me")
        assert response.get_json() == {
            "id": str(decode_id(ACCOUNT, member.id)),
            "username": member.email,
            "email": member.email,
            "full_name": "",
        }
        user = log_in(faces, member)["user"]
        assert (user["firstName"], user["lastName"]) == ("", "")

    def test_a_taken_address_or_username_is_409(self, faces: Client) -> None:
        faces.sign_up(email=HERSHEL["email"], username="hershel")
        for changes in ({"username": "other"}, {"email": "other@example.com"}):
            response = faces.post(f"{RST}/auth/register", {**HERSHEL, **changes})
            assert response.status_code == 409
            assert set(response.get_json()) == {"detail"}

    def test_a_suspended_one_is_403_everywhere(self, faces: Client) -> None:
        """S14: suspension takes effect on the next request."""
        member = faces.sign_up(username="ada1815")
        tokens = log_in(faces, member)
        token = rst_token(faces, "ada1815", PASSWORD)
        suspend(member)
        for response in (
            faces.as_user(tokens["access"]).get(f"{RAGCHATS}/agents/"),
            faces.as_user(token).get(f"{RST}/auth/api-keys"),
            faces.as_key(member.api_key).get(f"{RST}/me"),
            faces.post(f"{RST}/auth/login", {"username": "ada1815", "password": PASSWORD}),
        ):
            assert response.status_code == 403, response.text


class TestSessions:
    def test_one_opened_at_a_face_is_listed_and_ended_at_the_contract(self, faces: Client) -> None:
        """S15: sessions can be listed and ended one by one."""
        member = faces.sign_up(username="ada1815")
        for token, path in [
            (log_in(faces, member)["access"], f"{RAGCHATS}/agents/"),
            (rst_token(faces, "ada1815", PASSWORD), f"{RST}/auth/api-keys"),
        ]:
            caller = faces.as_user(token)
            assert caller.get(path).status_code == 200
            session = next(s for s in ok(caller.get("/api/auth/sessions")) if s["current"])
            ok(member.client.delete(f"/api/auth/sessions/{session['id']}"), 204)
            assert caller.get(path).status_code == 401

    def test_an_access_token_of_one_face_is_good_on_all(self, faces: Client) -> None:
        member = faces.sign_up(username="ada1815")
        for token in (
            member.token,
            log_in(faces, member)["access"],
            rst_token(faces, "ada1815", PASSWORD),
        ):
            caller = faces.as_user(token)
            for path in ("/api/auth/me", f"{RAGCHATS}/agents/", f"{RST}/auth/api-keys"):
                assert caller.get(path).status_code == 200


class TestKeys:
    def test_one_made_at_rst_is_listed_used_and_revoked_at_the_contract(
        self, faces: Client
    ) -> None:
        """S20: a dead key is refused from the moment the answer that killed it was sent."""
        member = faces.sign_up()
        made = member.client.post(f"{RST}/auth/api-keys", {"name": "my-app-key"}).get_json()
        key_client = faces.as_key(made["raw_key"])
        listed = ok(member.client.get("/api/auth/api-keys"))[0]
        assert decode_id(KEY, listed["id"]) == uuid.UUID(made["id"])
        assert (listed["prefix"], listed["kind"]) == (made["prefix"], "secret")
        assert listed["environment"] == "live"
        assert key_client.get("/api/v1/authorize").status_code == 200
        assert faces.as_user(made["raw_key"]).get(f"{RST}/me").status_code == 200
        ok(member.client.delete(f"/api/auth/api-keys/{listed['id']}"), 204)
        assert key_client.get(f"{RST}/me").status_code == 401
        error(key_client.get("/api/v1/me"), 401, "AUTHENTICATION_ERROR", "revoked")

    def test_one_made_at_the_contract_is_listed_and_revoked_at_rst(self, faces: Client) -> None:
        """S20: a dead key is refused at once."""
        member = faces.sign_up()
        key = member.create_key(name="Reader", scopes=["query"])
        listed = member.client.get(f"{RST}/auth/api-keys").get_json()
        assert [one["name"] for one in listed] == ["Reader", "Primary"]
        response = member.client.delete(f"{RST}/auth/api-keys/{listed[0]['id']}")
        assert response.status_code == 204
        error(
            faces.as_key(key["api_key"]).get("/api/v1/authorize"),
            *(401, "AUTHENTICATION_ERROR", "revoked"),
        )
        again = member.client.delete(f"{RST}/auth/api-keys/{listed[0]['id']}")
        assert (again.status_code, again.get_json()) == (
            404,
            {"detail": "No such key, or it is not yours"},
        )

    def test_a_rotated_one_keeps_its_form(self, faces: Client) -> None:
        member = faces.sign_up()
        made = member.client.post(f"{RST}/auth/api-keys", {"name": "my-app-key"}).get_json()
        key_id = ok(member.client.get("/api/auth/api-keys"))[0]["id"]
        rotated = ok(member.client.post(f"/api/auth/api-keys/{key_id}/rotate", {}), 201)
        assert re.fullmatch("rst_[0-9A-Za-z]{36}", rotated["api_key"])
        assert faces.as_key(rotated["api_key"]).get(f"{RST}/me").status_code == 200
        assert faces.as_key(made["raw_key"]).get(f"{RST}/me").status_code == 401

    def test_the_plans_number_of_keys_counts_them_all(self, faces: Client) -> None:
        member = faces.sign_up()
        statuses = [
            member.client.post(f"{RST}/auth/api-keys", {"name": "x"}).status_code for _ in range(5)
        ]
        assert statuses == [200] * 4 + [429]

    def test_they_outlive_the_face_that_made_them(self, faces: Client, client: Client) -> None:
        member = faces.sign_up()
        made = member.client.post(f"{RST}/auth/api-keys", {"name": "x"}).get_json()
        ok(client.as_key(made["raw_key"]).get("/api/v1/me"))
        ok(client.post("/api/v1/keys/revoke", {"key": made["raw_key"]}), 204)
        assert faces.as_key(made["raw_key"]).get(f"{RST}/me").status_code == 401


class TestUnkeysKeys:
    @pytest.fixture
    def root(self, faces: Client) -> Client:
        return faces.as_user(make_service_key(faces.app, "verify", "keys", "accounts"))

    def code(self, root: Client, key: str) -> str:
        answer = root.post(f"{UNKEY}/keys.verifyKey", {"key": key}).get_json()
        code: str = answer["data"]["code"]
        return code

    def make(self, root: Client, **fields: object) -> dict[str, str]:
        api = root.post(f"{UNKEY}/apis.createApi", {"name": "payments"}).get_json()["data"]
        answer = root.post(f"{UNKEY}/keys.createKey", {"apiId": api["apiId"], **fields})
        made: dict[str, str] = answer.get_json()["data"]
        return made

    @pytest.mark.both_databases
    def test_one_made_there_is_checked_shown_changed_and_revoked_at_the_contract(
        self, faces: Client, root: Client
    ) -> None:
        """S20: a dead key is refused from the moment the answer that killed it was sent."""
        made = self.make(root, name="Production", permissions=["docs.read"], externalId="c-17")
        account = ok(root.get("/api/v1/internal/accounts/ext:c-17"))
        asked = {"key": made["key"], "scope": "docs.read"}
        verdict = ok(root.post("/api/v1/keys/verify", asked))
        assert (verdict["code"], verdict["account_id"]) == ("VALID", account["id"])
        path = f"/api/v1/internal/api-keys/{made['keyId']}"
        key = ok(root.get(path))
        assert (key["managed"], key["name"], key["scopes"]) == (True, "Production", ["docs.read"])
        ok(root.patch(path, {"is_active": False}))
        assert self.code(root, made["key"]) == "DISABLED"
        ok(root.patch(path, {"is_active": True}))
        assert self.code(root, made["key"]) == "VALID"
        ok(faces.post("/api/v1/keys/revoke", {"key": made["key"]}), 204)
        assert self.code(root, made["key"]) == "NOT_FOUND"

    def test_one_made_elsewhere_is_shown_and_deleted_there(
        self, faces: Client, root: Client
    ) -> None:
        """S20: a dead key is refused at once."""
        member = faces.sign_up()
        key = member.create_key(name="Reader", scopes=["query"])
        shown = root.post(f"{UNKEY}/keys.getKey", {"keyId": key["id"]}).get_json()["data"]
        assert (shown["name"], shown["permissions"]) == ("Reader", ["query"])
        assert root.post(f"{UNKEY}/keys.deleteKey", {"keyId": key["id"]}).status_code == 200
        error(
            faces.as_key(key["api_key"]).get("/api/v1/authorize"),
            *(401, "AUTHENTICATION_ERROR", "revoked"),
        )

    @pytest.mark.both_databases
    def test_limits_set_at_the_contract_are_credits_and_rate_limits_there(
        self, root: Client
    ) -> None:
        made = self.make(root, credits={"remaining": 5})
        limits = [
            {"meter": "requests", "window": "day", "size": 3},
            {"meter": "requests", "window": "10s", "size": 9, "name": "burst", "applies": "named"},
        ]
        ok(root.patch(f"/api/v1/internal/api-keys/{made['keyId']}", {"limits": limits}))
        shown = root.post(f"{UNKEY}/keys.getKey", {"keyId": made["keyId"]}).get_json()["data"]
        # The smaller one decides; credits are set there alone, so they stay.
        assert shown["credits"] == {"remaining": 3, "refill": {"interval": "daily", "amount": 3}}
        (burst,) = shown["ratelimits"]
        assert (burst["name"], burst["limit"], burst["duration"], burst["autoApply"]) == (
            *("burst", 9, 10_000),
            False,
        )


class TestAgents:
    def test_one_made_at_ragchats_is_the_contracts(self, faces: Client) -> None:
        member = faces.sign_up()
        made = member.client.post(f"{RAGCHATS}/agents/", {"name": "Support"}).get_json()
        agent = ok(member.client.get("/api/agents"))[0]
        assert decode_id(AGENT, agent["id"]) == uuid.UUID(made["id"])
        key = member.client.post(f"{RAGCHATS}/agents/{made['id']}/api-keys/", {}).get_json()
        listed = ok(member.client.get(f"/api/agents/{agent['id']}/api-keys"))
        assert [one["prefix"] for one in listed] == [key["prefix"]]
        ok(member.client.delete(f"/api/agents/{agent['id']}"), 204)
        error(faces.as_key(key["key"]).get("/api/v1/me"), 401, "AUTHENTICATION_ERROR", "revoked")
        assert member.client.get(f"{RAGCHATS}/agents/").get_json() == []


def test_a_login_that_needs_a_second_step_is_refused_in_the_faces_words(
    faces: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a login answers before its second step opens no session here."""
    member = faces.sign_up(username="ada1815")
    monkeypatch.setattr(accounts, "log_in", lambda **_: object())
    body = {"email": member.email, "password": PASSWORD}
    response = faces.post(f"{RAGCHATS}/auth/login/", body)
    assert response.status_code == 403
    assert response.get_json()["error"] == "second_factor_required"
    body = {"username": "ada1815", "password": PASSWORD}
    response = faces.post(f"{RST}/auth/login", body)
    assert response.status_code == 403
    assert set(response.get_json()) == {"detail"}
