"""S27: no secret stands in a log, an answer, a table or a file, wherever a client puts it."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.e2e.service import SECRET_KEY, Installation, Service

WEAK_WORDS = ("Ada", "a key")


class Walk:
    """A client that remembers each secret, and each answer that has no business to hold one."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.secrets: dict[str, str] = {}
        self.answers: list[str] = []
        # What keys and accounts hold for others: it may be told, and stands in their rows alone.
        self.kept = f"kept-{uuid4().hex}"
        self.refusals: list[str] = []

    def secret(self, name: str, value: str) -> str:
        self.secrets[f"{name} {len(self.secrets)}"] = value
        return value

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request whose answer may tell no secret at all."""
        response = self.service.client.request(method, path, **options)
        self.answers.append(f"{response.headers}\n{response.text}")
        if response.is_error:
            self.refusals.append(self.answers[-1])
        return response

    def ask(self, path: str, body: dict[str, Any], token: str | None = None) -> Any:
        """A POST that is answered with secrets, all of which are noted."""
        response = self.service.insist(path, body, token)
        assert response.is_success, response.text
        data = response.json()["data"]
        for name in ("token", "refresh_token", "api_key"):
            if name in data:
                self.secret(name, data[name])
        return data

    def run(self) -> None:
        email = f"walker-{uuid4().hex}@example.com"
        password = self.secret("password", f"right {uuid4().hex}")
        wrong = self.secret("wrong password", f"wrong {uuid4().hex}")
        login = {"email": email, "password": password}
        signup = {**login, "name": "Ada"}
        first = self.ask("/api/auth/signup", signup)
        self.send("POST", "/api/auth/signup", json={**signup, "nonsense": password})
        self.send("POST", "/api/auth/signup", json=signup)
        pair = self.ask("/api/auth/login", login)
        spent = pair["refresh_token"]
        pair = self.ask("/api/auth/token/refresh", {"refresh_token": spent})
        user = {"Authorization": f"Bearer {pair['token']}"}
        for body in (
            {"email": email, "password": wrong},
            {"email": wrong, "password": wrong},
            {"username": wrong, "password": wrong},
        ):
            self.send("POST", "/api/auth/login", json=body)
        self.send("POST", "/api/auth/me/delete", json={"password": wrong}, headers=user)
        keys = self._walk_through_keys(first["api_key"], pair["token"])
        for secret in (keys[1], keys[-1], pair["token"], password):
            self._put_where_it_does_not_belong(secret, user)
        for path in ("/me", "/sessions", "/api-keys?include_revoked=true", "/events", "/export"):
            assert self.send("GET", f"/api/auth{path}", headers=user).is_success
        self.send("POST", "/api/auth/logout", headers=user)
        self.send("POST", "/api/auth/token/refresh", json={"refresh_token": pair["refresh_token"]})

    def _walk_through_keys(self, primary: str, token: str) -> list[str]:
        made = self.ask("/api/auth/api-keys", {"name": "a key"}, token)
        path = f"/api/auth/api-keys/{made['id']}/rotate"
        rotated = self.ask(path, {"grace_seconds": 60}, token)
        regenerated = self.ask("/api/auth/api-key/regenerate", {}, token)
        options = ("--name", "walk", "--scope", "verify", "--json")
        printed = self.service.installation.command("service-keys", "create", *options)
        service_key = self.secret("service key", json.loads(printed)["api_key"])
        keys = [primary, made["api_key"], rotated["api_key"], regenerated["api_key"], service_key]
        for key in keys:
            self.send("GET", "/api/v1/authorize", headers={"X-API-Key": key})
            self.send("GET", "/api/v1/me", headers={"Authorization": f"Bearer {key}"})
            verify = {"json": {"key": key}, "headers": {"X-API-Key": service_key}}
            self.send("POST", "/api/v1/keys/verify", **verify)
            self.send("POST", "/api/v1/keys/verify", **{**verify, "json": {"key": key, key: key}})
        self.send("POST", "/api/v1/keys/revoke", json={"key": rotated["api_key"]})
        self._keep_with(regenerated["key"]["id"], token)
        return keys

    def _keep_with(self, key_id: str, token: str) -> None:
        """Keep something with a key and its account, and try to with faults beside it."""
        options = ("--name", "keeper", "--scope", "accounts", "--json")
        printed = self.service.installation.command("service-keys", "create", *options)
        keeper = {"X-API-Key": self.secret("service key", json.loads(printed)["api_key"])}
        user = {"Authorization": f"Bearer {token}"}
        account_id = self.send("GET", "/api/auth/me", headers=user).json()["data"]["id"]
        kept = {"metadata": {self.kept: self.kept}}
        faulty = {"metadata": {"a": [self.kept, "\0"], "b": {"c": self.kept * 300}}}
        for path, headers, body in (
            (f"/api/auth/api-keys/{key_id}", user, kept),
            (f"/api/v1/internal/accounts/{account_id}", keeper, {**kept, "external_id": self.kept}),
        ):
            assert self.send("PATCH", path, headers=headers, json=body).is_success
            assert self.send("PATCH", path, headers=headers, json=faulty).status_code == 400

    def _put_where_it_does_not_belong(self, secret: str, user: dict[str, str]) -> None:
        plain = secret.replace(" ", "")
        for name, value in (
            ("X-API-Key", secret),
            ("Authorization", f"Basic {secret}"),
            ("Authorization", f"Bearer {secret} {secret}"),
            ("Cookie", f"token={plain}; __Host-ragauth_refresh={plain}"),
            ("User-Agent", f"{'a' * 380} {secret}"),
            ("Origin", secret),
            ("Referer", f"https://app.test/?key={plain}"),
            ("X-Forwarded-For", secret),
        ):
            self.send("GET", "/api/auth/me", headers={name: value})
        if " " in secret:
            return  # A password: nobody can tell it from a path, and no client puts it into one.
        self.send("GET", f"/{secret}", params={"key": secret})
        self.send("GET", f"/api/v1/authorize/{secret}", params={"scope": secret, secret: "1"})
        self.send("GET", f"/api/auth/api-keys/{quote(secret)}", headers=user)
        self.send("POST", "/api/auth/token/refresh", json={"refresh_token": secret})
        self.send("POST", "/api/auth/login", content=secret.encode())
        agent = {"User-Agent": f"browser {secret}"}
        self.send("POST", "/api/auth/login", json={"email": secret, "password": "x"}, headers=agent)
        # Given back to whoever sent it, and written nowhere.
        self.service.client.get("/healthz", headers={"X-Request-Id": secret[:128]})

    def found_in(self, text: str) -> list[str]:
        return [name for name, secret in self.secrets.items() if secret in text]


@pytest.fixture(scope="module")
def walk(service: Service) -> Walk:
    walk = Walk(service)
    walk.run()
    return walk


def test_no_secret_is_in_the_log(walk: Walk) -> None:
    log = walk.service.gunicorn.log()
    assert len(log.splitlines()) > 50
    assert walk.found_in(log) == []
    assert SECRET_KEY not in log


def test_no_secret_is_in_an_answer_that_was_not_to_tell_it(walk: Walk) -> None:
    assert len(walk.answers) > 50
    assert walk.found_in("\n".join(walk.answers)) == []


def test_what_is_kept_with_keys_and_accounts_is_in_their_rows_alone(walk: Walk) -> None:
    tables = _read_tables(walk.service.installation)
    assert {name for name, text in tables.items() if walk.kept in text} == {"accounts", "api_keys"}
    assert walk.kept not in walk.service.gunicorn.log()
    assert len(walk.refusals) > 20
    assert walk.kept not in "\n".join(walk.refusals)
    assert walk.kept not in walk.send("GET", "/metrics").text


def test_no_secret_is_in_a_table(walk: Walk) -> None:
    tables = "\n".join(_read_tables(walk.service.installation).values())
    # The dump is one: what should be there is found in it.
    for stored in (*WEAK_WORDS, "account:login_failed", "$2b$10$"):
        assert stored in tables
    assert walk.found_in(tables) == []


def test_no_secret_is_in_a_file_of_the_installation(walk: Walk) -> None:
    folder = Path(walk.service.installation.environment["RAGAUTH_INSTANCE_DIR"])
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert "counters" in {path.name.partition(".")[0] for path in files} | {
        path.parent.name for path in files
    }
    secret_file = folder / "secret_key"
    secret_key = secret_file.read_text().strip() if secret_file.exists() else SECRET_KEY
    for path in files:
        text = path.read_bytes().decode("latin-1")
        assert walk.found_in(text) == [], path
        assert path == secret_file or secret_key not in text, path


def _read_tables(installation: Installation) -> dict[str, str]:
    """The values of each table, as text."""
    url = installation.environment.get("RAGAUTH_DATABASE_URL")
    if url is None:
        path = Path(installation.environment["RAGAUTH_INSTANCE_DIR"]) / "ragauth.db"
        connection = sqlite3.connect(path)
        names = "SELECT name FROM sqlite_master WHERE type = 'table'"
        try:
            return _texts(lambda sql: connection.execute(sql).fetchall(), names)
        finally:
            connection.close()
    with psycopg.connect(url) as postgres:
        names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        return _texts(lambda sql: postgres.execute(sql.encode()).fetchall(), names)


def _texts(read: Callable[[str], list[Any]], table_names: str) -> dict[str, str]:
    return {
        name: "\n".join(
            value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for row in read(f'SELECT * FROM "{name}"')  # noqa: S608 - the names are the database's own
            for value in row
        )
        for (name,) in read(table_names)
    }
