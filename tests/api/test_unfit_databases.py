"""A database that answers and keeps nothing: 503 with the cause where an operator looks.

S31: none of these is a crash, and none lets a login or a revocation seem to have succeeded.
"""

import os
import pwd
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import flask_migrate
import psycopg
import pytest
from flask import Flask

from ragauth import database_faults
from ragauth.app import create_app
from ragauth.config import Settings
from tests.applications import make_settings, running_app
from tests.clients import PASSWORD, Client, Member, error, ok
from tests.factories.api_keys import unknown_key
from tests.runtime import runtime_of
from tests.servers.postgres import PostgresServer

NOT_MIGRATED = "not migrated: run `flask --app wsgi db upgrade`"


@dataclass
class Place:
    """An installation of a test's own, with somebody in it; `execute` works on its database."""

    settings: Settings
    member: Member
    execute: Callable[[str], object]

    @contextmanager
    def served(self) -> Iterator[Client]:
        with running_app(self.settings) as app:
            yield Client(app)


@pytest.fixture
def postgres(
    postgres_server: PostgresServer, postgres_template: str, tmp_path: Path
) -> Iterator[Place]:
    name = f"unfit_{uuid4().hex}"
    postgres_server.create_database(name, template=postgres_template)
    url = postgres_server.url(name)

    def execute(statement: str) -> None:
        writes = "-c default_transaction_read_only=off"
        with psycopg.connect(url, autocommit=True, options=writes) as connection:
            connection.execute(statement.encode())

    settings = make_settings(tmp_path, url)
    with running_app(settings) as app:
        member = Client(app).sign_up()
    yield Place(settings, member, execute)
    postgres_server.drop_database(name)


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> Place:
    path = Path(shutil.copy(sqlite_template, tmp_path / "ragauth.db"))
    settings = make_settings(tmp_path, f"sqlite:///{path}")
    with running_app(settings) as app:
        member = Client(app).sign_up()

    def execute(statement: str) -> None:
        with sqlite3.connect(path) as connection:
            connection.executescript(statement)
        connection.close()

    return Place(settings, member, execute)


def start(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Flask:
    """The application as a server makes it: by the environment alone."""
    monkeypatch.setenv("RAGAUTH_INSTANCE_DIR", str(settings.instance_dir))
    monkeypatch.setenv("RAGAUTH_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("RAGAUTH_SECRET_KEY", settings.secret_key.decode())
    return create_app()


def assert_keeps_nothing(client: Client, member: Member, state: str) -> None:
    """Each request that writes is 503, and everything that an operator watches says why."""
    writes = {
        "/api/auth/login": {"email": member.email, "password": PASSWORD},
        "/api/auth/signup": {"email": "new@example.com", "password": PASSWORD},
        "/api/auth/token/refresh": {"refresh_token": member.refresh_token},
        "/api/v1/keys/revoke": {"key": member.api_key},
    }
    for path, body in writes.items():
        answer = client.post(path, body)
        error(answer, 503, "EXTERNAL_SERVICE_ERROR")
        assert int(answer.headers["Retry-After"]) >= 1, path
    assert_told(client, state)


def assert_told(client: Client, state: str) -> None:
    details = error(client.get("/readyz"), 503, "EXTERNAL_SERVICE_ERROR")
    assert details["checks"]["database"] == state
    assert "ragauth_database_writable 0.0" in client.get("/metrics").text


_ALTER = "DO $$BEGIN EXECUTE format('ALTER DATABASE %I {}', current_database()); END$$"
_READ_ONLY = _ALTER.format("SET default_transaction_read_only = on")
_WRITABLE = _ALTER.format("RESET default_transaction_read_only")
_TABLES_MISSING = "DROP TABLE sessions; DROP TABLE api_keys"
_TOO_OLD = (
    "ALTER TABLE sessions RENAME COLUMN last_used_at TO x;"
    " ALTER TABLE api_keys RENAME COLUMN digest TO x;"
    " UPDATE alembic_version SET version_num = '0001'"
)


class TestPostgres:
    @pytest.mark.parametrize(
        ("statement", "state"),
        [
            (_READ_ONLY, "read-only"),
            (_TABLES_MISSING, NOT_MIGRATED),
            (_TOO_OLD, NOT_MIGRATED),
        ],
        ids=["read-only", "tables missing", "too old"],
    )
    def test_what_it_lacks_is_told(self, postgres: Place, statement: str, state: str) -> None:
        postgres.execute(statement)
        with postgres.served() as client:
            assert_keeps_nothing(client, postgres.member, state)

    def test_a_role_without_its_rights_is_told(self, postgres: Place) -> None:
        role = f"reader_{uuid4().hex}"
        postgres.execute(f"CREATE ROLE {role} LOGIN")
        postgres.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        url = postgres.settings.database_url
        settings = make_settings(
            postgres.settings.instance_dir, url.replace("//postgres@", f"//{role}@")
        )
        try:
            with running_app(settings) as app:
                state = "the role may not read, write or make the tables"
                assert_keeps_nothing(Client(app), postgres.member, state)
        finally:
            postgres.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")

    @pytest.mark.parametrize("told_by", ["a request", "a probe"])
    def test_connections_to_one_that_became_read_only_are_left(
        self, postgres: Place, told_by: str
    ) -> None:
        body = {"email": postgres.member.email, "password": PASSWORD}
        with postgres.served() as client:
            postgres.execute(_READ_ONLY)
            if told_by == "a request":
                error(client.post("/api/auth/login", body), 503, "EXTERNAL_SERVICE_ERROR")
            else:
                assert_told(client, "read-only")
            postgres.execute(_WRITABLE)
            # The setting holds for a connection as long as that lasts.
            ok(client.post("/api/auth/login", body))

    def test_all_of_it_works_in_a_schema_of_its_own(
        self, postgres_server: PostgresServer, tmp_path: Path
    ) -> None:
        name = f"schema_{uuid4().hex}"
        postgres_server.create_database(name)
        plain = postgres_server.url(name)
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA ragauth")
            settings = make_settings(tmp_path, f"{plain}?options=-c%20search_path%3Dragauth")
            with running_app(settings) as app:
                with app.app_context():
                    flask_migrate.upgrade()
                member = Client(app).sign_up()
                assert member.key_client.get("/api/v1/authorize").status_code == 200
                ok(Client(app).get("/readyz"))
            found = connection.execute(
                "SELECT DISTINCT table_schema FROM information_schema.tables"
                " WHERE table_schema !~ '^(pg_|information_schema)'"
            ).fetchall()
        assert found == [("ragauth",)]
        postgres_server.drop_database(name)

    @pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
    def test_one_that_cannot_hold_every_text_is_refused(
        self,
        postgres_server: PostgresServer,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        encoding: str,
    ) -> None:
        name = f"encoding_{uuid4().hex}"
        with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
            connection.execute(
                f"CREATE DATABASE {name} ENCODING '{encoding}'"
                " LOCALE 'C' TEMPLATE template0".encode()
            )
        settings = make_settings(tmp_path, postgres_server.url(name))
        try:
            with pytest.raises(SystemExit, match=r"ragauth: RAGAUTH_DATABASE_URL: .*UTF8"):
                start(monkeypatch, settings)
            with running_app(settings) as app:
                upgraded = app.test_cli_runner().invoke(args=["db", "upgrade"])
                assert upgraded.exit_code == 1
                assert "ENCODING 'UTF8'" in upgraded.stderr
                assert len(upgraded.stderr.splitlines()) == 1
                # Where it comes back in another encoding under a service that runs.
                body = {"email": "a@example.com", "password": PASSWORD}
                error(Client(app).post("/api/auth/login", body), 503, "EXTERNAL_SERVICE_ERROR")
        finally:
            postgres_server.drop_database(name)


class TestSqlite:
    @pytest.mark.parametrize(
        "statement", [_TABLES_MISSING, _TOO_OLD], ids=["tables missing", "too old"]
    )
    def test_what_it_lacks_is_told(self, sqlite: Place, statement: str) -> None:
        sqlite.execute(statement)
        with sqlite.served() as client:
            assert_keeps_nothing(client, sqlite.member, NOT_MIGRATED)

    def test_a_newer_schema_serves_the_version_before(self, sqlite: Place) -> None:
        """A version only adds to it, and takes over host by host."""
        sqlite.execute("UPDATE alembic_version SET version_num = '9999'")
        with sqlite.served() as client:
            assert client.get("/readyz").status_code == 200

    def test_anothers_schema_is_told_apart(self, sqlite: Place) -> None:
        sqlite.execute("UPDATE alembic_version SET version_num = 'a1b2c3d4e5f6'")
        with sqlite.served() as client:
            details = error(client.get("/readyz"), 503, "EXTERNAL_SERVICE_ERROR")
            state = "another version's of ragauth, or another program's"
            assert details["checks"]["database"] == state
            # Hosts that are updated one after another are no reason to wake anybody.
            assert "ragauth_database_writable 1.0" in client.get("/metrics").text

    def test_a_file_that_is_none_is_told(self, sqlite: Place) -> None:
        path = sqlite.settings.instance_dir / "ragauth.db"
        path.write_bytes(b"no database at all " * 500)
        with sqlite.served() as client:
            state = "no database of SQLite, or a damaged one"
            assert_keeps_nothing(client, sqlite.member, state)

    def test_a_full_disk_is_told(self, sqlite: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        with sqlite.served() as client:
            sqlite.execute("CREATE TABLE filler (x); INSERT INTO filler VALUES (zeroblob(99999))")
            room = list(os.statvfs(sqlite.settings.instance_dir))
            full = os.statvfs_result([*room[:4], 0, *room[5:]])
            monkeypatch.setattr("os.statvfs", lambda _path: full)
            assert_told(client, "full")

    def test_a_read_only_file_is_told(self, sqlite_template: Path) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = Path(shutil.copy(sqlite_template, folder / "ragauth.db"))
            settings = make_settings(folder, f"sqlite:///{path}")
            with running_app(settings) as app:
                member = Client(app).sign_up()
            with as_another_than_root(folder), running_app(settings) as app:
                path.chmod(0o444)
                assert_keeps_nothing(Client(app), member, "read-only")


@contextmanager
def as_another_than_root(folder: Path) -> Iterator[None]:
    """Root may write what nobody may; the folder and its files belong to that other meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.iterdir()):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    os.seteuid(nobody.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_unmigrated_database_says_so_at_the_start_and_once_in_ten_seconds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(database_faults, "_last_logged", {})
    monkeypatch.setattr(database_faults, "time", SimpleNamespace(monotonic=lambda: now[0]))
    settings = make_settings(tmp_path, f"sqlite:///{tmp_path}/empty.db")
    sentence = f"the database is {NOT_MIGRATED}"

    def told() -> list[str]:
        return [record.message for record in caplog.records if record.levelname == "ERROR"]

    runtime_of(start(monkeypatch, settings)).close()
    assert told() == [sentence]
    with running_app(settings) as app:
        client = Client(app)
        body = {"email": "a@example.com", "password": PASSWORD}
        for _ in range(3):
            error(client.post("/api/auth/login", body), 503, "EXTERNAL_SERVICE_ERROR")
            check = client.as_key(unknown_key()).get("/api/v1/authorize")
            error(check, 503, "EXTERNAL_SERVICE_ERROR")
        assert told() == [sentence] * 2
        now[0] += 10
        client.post("/api/auth/login", body)
        assert told() == [sentence] * 3
