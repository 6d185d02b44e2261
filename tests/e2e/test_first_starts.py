"""S36: two first starts, two migrations, several writers at once: nothing lost or doubled."""

import os
import stat
from pathlib import Path

import pytest
import sqlalchemy

from ragauth.extensions import db
from tests.e2e.conftest import NewInstallation
from tests.e2e.service import PASSWORD, Installation, at_once
from tests.waiting import wait_until

_WRITERS = 3
_WRITES = 60


def test_two_services_that_start_first_at_once_share_one_secret(
    empty_installation: NewInstallation,
) -> None:
    installation = empty_installation("sqlite")
    secret_file = Path(installation.environment["RAGAUTH_INSTANCE_DIR"]) / "secret_key"
    # Neither has a schema yet, and neither needs one to start: only the secret is made.
    assert not secret_file.exists()
    servers = [installation.serve(workers=1) for _ in range(2)]
    try:
        one, other = at_once([server.__enter__ for server in servers])
        assert stat.S_IMODE(secret_file.stat().st_mode) == 0o600
        assert [path.name for path in secret_file.parent.glob("*secret*")] == ["secret_key"]
        ready = one.client.get("/readyz")
        assert ready.status_code == 503
        assert "db upgrade" in ready.json()["error"]["details"]["checks"]["database"]
        installation.migrate()
        assert one.client.get("/readyz").status_code == 200
        user = one.sign_up()
        headers = {"Authorization": f"Bearer {user.token}"}
        assert other.client.get("/api/auth/me", headers=headers).status_code == 200
        login = {"email": user.email, "password": PASSWORD}
        assert other.insist("/api/auth/login", login).status_code == 200
    finally:
        for server in servers:
            server.__exit__(None, None, None)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_migrations_at_once_all_succeed_and_make_one_schema(
    empty_installation: NewInstallation, database: str
) -> None:
    installation = empty_installation(database)
    processes = [installation.start("db", "upgrade") for _ in range(2)]
    outcomes = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert [returncode for _, returncode in outcomes] == [0, 0], outcomes
    assert _tables(installation) == {"alembic_version", *db.metadata.tables}
    assert _installations(installation) == 1


def _tables(installation: Installation) -> set[str]:
    engine = sqlalchemy.create_engine(_database_url(installation))
    try:
        return set(sqlalchemy.inspect(engine).get_table_names())
    finally:
        engine.dispose()


def _installations(installation: Installation) -> int | None:
    engine = sqlalchemy.create_engine(_database_url(installation))
    with engine.connect() as connection:
        count: int | None = connection.scalar(sqlalchemy.text("SELECT count(*) FROM installation"))
    engine.dispose()
    return count


def _database_url(installation: Installation) -> str:
    url = installation.environment.get("RAGAUTH_DATABASE_URL")
    folder = installation.environment["RAGAUTH_INSTANCE_DIR"]
    return url or f"sqlite:///{folder}/ragauth.db"


def test_no_write_of_three_processes_on_one_sqlite_file_is_lost(
    new_installation: NewInstallation,
) -> None:
    installation = new_installation("sqlite")
    engine = sqlalchemy.create_engine(_database_url(installation))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE tally (value INTEGER NOT NULL)")
        connection.exec_driver_sql("INSERT INTO tally VALUES (0)")
    go, hold = os.pipe()
    writers = [
        installation.start_module("tests.e2e.tally_writer", str(_WRITES), given=go)
        for _ in range(_WRITERS)
    ]
    try:
        wait_until(lambda: all(writer.printed() == "ready\n" for writer in writers))
    finally:
        # They write as soon as nobody can give them anything any more.
        os.close(hold)
        os.close(go)
    outcomes = [(writer.communicate(timeout=60)[1], writer.returncode) for writer in writers]
    assert [returncode for _, returncode in outcomes] == [0] * _WRITERS, outcomes
    with engine.connect() as connection:
        value = connection.exec_driver_sql("SELECT value FROM tally").scalar_one()
    engine.dispose()
    assert value == _WRITERS * _WRITES
