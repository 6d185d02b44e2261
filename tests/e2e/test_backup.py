"""A backup that was made under load brings logins and keys back, on both databases."""

import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import COMMAND_SECONDS, PASSWORD, Installation, Service, User
from tests.servers.postgres import client_program

_KEYS_MADE_FIRST = 10


class Writer:
    """Makes keys again and again, so that a backup falls between its writes."""

    def __init__(self, user: User) -> None:
        self._user = user
        self._stop = threading.Event()
        self._began = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.keys: list[str] = []

    def __enter__(self) -> "Writer":
        self._thread.start()
        assert self._began.wait(COMMAND_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._stop.wait(0.01):
            self.keys.append(self._user.create_key()[1])
            if len(self.keys) == _KEYS_MADE_FIRST:
                self._began.set()


def _assert_restored(service: Service, user: User, keys: list[str]) -> None:
    login = service.insist("/api/auth/login", {"email": user.email, "password": PASSWORD})
    assert login.status_code == 200
    assert login.json()["data"]["account"]["id"] == user.account_id
    assert service.get("/api/auth/me", user.token) == 200
    assert [service.authorize(key) for key in [user.api_key, *keys]] == [200] * (len(keys) + 1)
    assert service.authorize(user.api_key[:-1] + "!") == 401


def test_a_sqlite_copy_made_while_serving_is_restored_into_a_new_folder(
    new_installation: NewInstallation, tmp_path: Path
) -> None:
    installation = new_installation("sqlite")
    copy = tmp_path / "ragauth.db"
    with installation.serve(workers=1) as service:
        user = service.sign_up(plan="scale")
        with Writer(user) as writer:
            installation.command("backup", str(copy))
            committed_before = writer.keys[:_KEYS_MADE_FIRST]
        made_after = user.create_key()[1]
    # What an operator puts together again: the copy, and the secret from its own safe place.
    folder = tmp_path / "restored"
    folder.mkdir()
    shutil.move(copy, folder)
    shutil.copy(Path(installation.environment["RAGAUTH_INSTANCE_DIR"]) / "secret_key", folder)
    restored = Installation({**installation.environment, "RAGAUTH_INSTANCE_DIR": str(folder)})
    restored.migrate()
    with restored.serve(workers=1) as service:
        _assert_restored(service, replace(user, service=service), committed_before)
        assert service.authorize(made_after) == 401


def _run(environment: Mapping[str, str], *arguments: str) -> None:
    done = subprocess.run(
        arguments,
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
    assert done.returncode == 0, done.stderr


def test_a_dump_of_postgres_is_restored_into_an_empty_database(
    new_installation: NewInstallation, empty_installation: NewInstallation, tmp_path: Path
) -> None:
    pg_dump, pg_restore = client_program("pg_dump"), client_program("pg_restore")
    if pg_dump is None or pg_restore is None:
        pytest.skip("no pg_dump: apt-get install postgresql-client")
    installation, target = new_installation("postgres"), empty_installation("postgres")
    dump = str(tmp_path / "ragauth.dump")
    with installation.serve(workers=1) as service:
        user = service.sign_up(plan="scale")
        with Writer(user) as writer:
            _run(
                {},
                pg_dump,
                "--format=custom",
                f"--file={dump}",
                f"--dbname={installation.environment['RAGAUTH_DATABASE_URL']}",
            )
            committed_before = writer.keys[:_KEYS_MADE_FIRST]
        made_after = user.create_key()[1]
    _run(
        {},
        pg_restore,
        "--no-owner",
        "--exit-on-error",
        f"--dbname={target.environment['RAGAUTH_DATABASE_URL']}",
        dump,
    )
    target.migrate()
    with target.serve(workers=1) as service:
        _assert_restored(service, replace(user, service=service), committed_before)
        assert service.authorize(made_after) == 401
