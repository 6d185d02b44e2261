"""A setting that is missing or malformed stops the start with one line that names it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.commands import ForkedCommand
from tests.servers.gunicorn import PROJECT_ROOT

_GUNICORN = ("gunicorn", "-c", "python:ragauth.gunicorn_conf", "wsgi:app")
_FLASK = ("flask", "--app", "wsgi", "db", "upgrade")
_RAGAUTH = ("ragauth", "serve")
_MALFORMED = {
    "RAGAUTH_BCRYPT_COST": "9",
    "RAGAUTH_ACCESS_TOKEN_SECONDS": "an hour",
    "RAGAUTH_LOGIN_FAILURES_PER_ACCOUNT": "-1",
    "RAGAUTH_REQUIRE_HTTPS": "perhaps",
    "RAGAUTH_TRUSTED_PROXIES": "many",
    "RAGAUTH_CORS_ORIGINS": "app.example.com",
    "RAGAUTH_KEY_BRAND": "R",
    "RAGAUTH_REDIS_URL": "http://redis.test",
    "RAGAUTH_DATABASE_URL": "mysql://db.test/ragauth",
    "RAGAUTH_SECRET_KEY": "too short a secret",
    "RAGAUTH_POLICY_FILE": "/nowhere/policy.toml",
}


def _start(
    folder: Path, module: tuple[str, ...], *, is_real: bool = False, **settings: str
) -> tuple[int, list[str]]:
    """The exit code and the printed lines of a start that must end by itself.

    A real one is of a Python that has loaded nothing yet.
    """
    environment = {"PATH": os.defpath, "RAGAUTH_INSTANCE_DIR": str(folder), "PORT": "0", **settings}
    if not is_real:
        command = ForkedCommand(*module, environment=environment, cwd=PROJECT_ROOT)
        printed, said = command.communicate(timeout=60)
        assert command.returncode is not None
        return command.returncode, (printed + said).splitlines()
    done = subprocess.run(
        [sys.executable, "-m", *module],
        env=environment,
        cwd=PROJECT_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_a_missing_setting_is_named_in_one_line(tmp_path: Path) -> None:
    code, lines = _start(
        tmp_path, _FLASK, RAGAUTH_DATABASE_URL="postgresql://postgres@127.0.0.1:1/ragauth"
    )
    assert code == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith("ragauth: RAGAUTH_SECRET_KEY: required with Postgres")


@pytest.mark.parametrize(
    "module", [_GUNICORN, _FLASK, _RAGAUTH], ids=["gunicorn", "flask", "ragauth"]
)
def test_every_malformed_setting_is_named_in_a_line_of_its_own(
    tmp_path: Path, module: tuple[str, ...]
) -> None:
    code, lines = _start(tmp_path, module, is_real=module is _GUNICORN, **_MALFORMED)
    assert code == 1
    assert {line.split(": ")[1] for line in lines} == set(_MALFORMED)
    assert len(lines) == len(_MALFORMED)
    assert all(line.startswith("ragauth: RAGAUTH_") for line in lines)
    assert not any(_MALFORMED["RAGAUTH_SECRET_KEY"] in line for line in lines)


@pytest.mark.parametrize("module", [_GUNICORN, _RAGAUTH], ids=["gunicorn", "ragauth"])
def test_a_malformed_port_stops_the_start_with_one_line(
    tmp_path: Path, module: tuple[str, ...]
) -> None:
    code, lines = _start(tmp_path, module, PORT="http")
    assert code == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith("ragauth: PORT: ")
