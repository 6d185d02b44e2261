"""What a person at a terminal sees: questions before destruction, bars for long work."""

import errno
import hashlib
import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import httpx

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import COMMAND_SECONDS, PASSWORD, Installation
from tests.servers.commands import ForkedCommand
from tests.servers.gunicorn import NO_TLS, PROJECT_ROOT
from tests.servers.preloaded import fork_module
from tests.servers.processes import free_port


def _at_a_terminal(installation: Installation, *arguments: str, typed: str = "") -> tuple[int, str]:
    """Exit code and everything that appeared on the screen."""
    terminal, end = pty.openpty()
    try:
        process = fork_module(
            "flask",
            ["--app", "wsgi", *arguments],
            environment={"PATH": os.defpath, **installation.environment},
            cwd=PROJECT_ROOT,
            given=end,
            output=end,
        )
        os.close(end)
        os.write(terminal, typed.encode())
        screen = _rest_of(terminal)
        return process.wait(COMMAND_SECONDS), screen.decode()
    finally:
        os.close(terminal)


def _rest_of(terminal: int) -> bytes:
    """What appears on the screen until nobody writes there any more."""
    screen = b""
    try:
        while chunk := os.read(terminal, 4096):
            screen += chunk
    except OSError as error:
        # What Linux tells of a terminal whose last user has gone.
        if error.errno != errno.EIO:
            raise
    return screen


def test_a_question_is_asked_and_a_bar_is_shown(
    new_installation: NewInstallation, tmp_path: Path
) -> None:
    installation = new_installation("sqlite")
    email = "ada@example.com"
    installation.command(
        *("accounts", "create", "--email", email, "--password", PASSWORD, "--plan", "scale")
    )
    file = tmp_path / "keys.csv"
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(500)]
    lines = [f"{digest},{email},old" for digest in digests]
    file.write_text("\n".join(["digest,owner,name", *lines]))

    code, screen = _at_a_terminal(installation, "keys", "import", str(file))
    assert code == 0
    assert "importing" in screen
    assert "500/500" in screen
    assert "imported  500" in screen

    _, screen = _at_a_terminal(installation, "accounts", "list")
    assert max(map(len, screen.splitlines())) <= 80
    assert "no room for: username, external_id (--json has them)" in screen

    code, screen = _at_a_terminal(installation, "accounts", "delete", email, typed="n\n")
    assert code == 1
    assert f"Delete {email}? This cannot be undone. [y/N]" in screen
    assert email in installation.command("accounts", "list")

    code, screen = _at_a_terminal(installation, "accounts", "delete", email, typed="y\n")
    assert code == 0
    assert f"{email} is deleted" in screen
    assert email not in installation.command("accounts", "list")


def test_a_name_cannot_forge_the_question(new_installation: NewInstallation) -> None:
    """S46: a terminal obeys no name, of the time before names were looked at."""
    installation = new_installation("sqlite")
    installation.command(
        *("service-keys", "create", "--name", "gateway", "--scope", "verify"), "--json"
    )
    (key,) = json.loads(installation.command("service-keys", "list", "--json"))
    folder = Path(installation.environment["RAGAUTH_INSTANCE_DIR"])
    with closing(sqlite3.connect(folder / "ragauth.db")) as database, database:
        database.execute("UPDATE api_keys SET name = ?", ("x\r\x1b[2KDelete nothing?\u202e",))
    code, screen = _at_a_terminal(installation, "keys", "revoke", key["id"], typed="n\n")
    assert code == 1
    assert "(x\\r\\x1b[2KDelete nothing?\\u202e) of a service? [y/N]" in screen
    assert "\x1b" not in screen


def test_the_log_is_for_people(new_installation: NewInstallation) -> None:
    """S28: gunicorn's lines and the service's look alike, and none can be forged."""
    installation = new_installation("sqlite")
    forged = "10:30:00Z INFO    ragauth  forged"
    terminal, end = pty.openpty()
    port = free_port()
    # Not a fork: the program looks where it prints to when it is loaded.
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:ragauth.gunicorn_conf", "wsgi:app"],
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            **installation.environment,
            **{"PORT": str(port), "WEB_CONCURRENCY": "1"},
        },
        cwd=PROJECT_ROOT,
        stdin=subprocess.DEVNULL,
        stderr=end,
    ) as process:
        os.close(end)
        screen = b""
        try:
            while b"Booting worker" not in screen:
                screen += os.read(terminal, 4096)
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=30, verify=NO_TLS
            ) as client:
                path = "/" + quote(f"x\r\n\x1b[2K{forged}\u2028")
                assert client.get(path, headers={"X-Request-Id": "mine"}).status_code == 404
                for origin in (f"https://x\x85{forged}", "https://new.example.com"):
                    client.get("/api/auth/me", headers={b"Origin": origin.encode()})
        finally:
            process.terminate()
            screen += _rest_of(terminal)
            os.close(terminal)
    lines = screen.decode("ascii").split("\r\n")[:-1]
    form = re.compile(r"[0-9:]{8}Z (INFO|WARNING) {1,4}(ragauth|gunicorn.error)  [ -~]+")
    assert [line for line in lines if not form.fullmatch(line)] == []
    assert len([line for line in lines if "Listening at: http://127.0.0.1:" in line]) == 1
    (asked,) = [line for line in lines if "request_id=mine" in line]
    assert "  404 GET /x\\r\\n\\u001b[2K" in asked
    assert " ip=127.0.0.1 " in asked
    assert len([line for line in lines if "RAGAUTH_CORS_ORIGINS" in line]) == 1


def test_the_shell_completes_commands_and_values(empty_installation: NewInstallation) -> None:
    installation = empty_installation("sqlite")

    def complete(*words: str) -> list[str]:
        command = ForkedCommand(
            # By its name alone: the shell asks the program that it completes.
            "tests.e2e.flask_program",
            environment={
                "PATH": os.defpath,
                **installation.environment,
                "_FLASK_COMPLETE": "bash_complete",
                "COMP_WORDS": " ".join(["flask", "--app", "wsgi", *words]),
                "COMP_CWORD": str(len(words) + 2),
            },
            cwd=PROJECT_ROOT,
        )
        printed, _ = command.communicate(COMMAND_SECONDS)
        assert command.returncode == 0
        return [line.removeprefix("plain,") for line in printed.splitlines()]

    assert complete("service-k") == ["service-keys"]
    assert complete("accounts", "list", "--status", "sus") == ["suspended"]
