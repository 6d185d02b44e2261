"""All of it at once, to look at: ragauth, the sample dashboard, the sample API.

    make demo

PORT is ragauth's (8000), DASHBOARD_PORT the dashboard's (5173), SERVICE_PORT the sample API's
(9000), all of them on 127.0.0.1. Accounts and keys stay in the instance folder, as with `make run`.
Ctrl-C ends all. Exit code: 1 if something could not start, or one of them ended by itself.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
KEY_NAME = "demo"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START_SECONDS = 60
STOP_SECONDS = 15
COMMAND_SECONDS = 120

FLASK = (sys.executable, "-m", "flask", "--app", "wsgi")
RAGAUTH = (sys.executable, "-m", "gunicorn", "-c", "python:ragauth.gunicorn_conf", "wsgi:app")
DASHBOARD = (sys.executable, str(EXAMPLES / "dashboard" / "serve.py"))
SERVICE = (sys.executable, str(EXAMPLES / "rag_service" / "app.py"))

WORDS = """
  dashboard    {dashboard}
  reference    {ragauth}/docs
  sample API   {service}

Sign up in the dashboard; it shows you an API key. With it the sample API answers:

  curl -s {service}/documents -d 'Some text' -H "Authorization: Bearer $KEY"

Mails are files in {instance}/outbox. Ctrl-C ends all of it.
"""


class Stop(Exception):
    """It is to end: by a signal, or with a fault that the text tells."""


def main() -> None:
    for number in SIGNALS:
        signal.signal(number, _stop)
    try:
        run(os.environ)
    except Stop as stop:
        sys.exit(str(stop) or 0)


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise Stop


def run(given: Mapping[str, str]) -> None:
    """Start all of it, say where it is, and wait; raises Stop."""
    defaults = {"PORT": "8000", "DASHBOARD_PORT": "5173", "SERVICE_PORT": "9000"}
    ports = {name: _free_port(name, given.get(name) or text) for name, text in defaults.items()}
    if len(set(ports.values())) < len(ports):
        raise Stop(f"{', '.join(ports)} must differ from each other")
    ragauth, dashboard, service = (f"http://127.0.0.1:{port}" for port in ports.values())
    origins = f"{dashboard} {dashboard.replace('127.0.0.1', 'localhost')}"
    # What only the clients of ragauth read is no setting of its own.
    clients = ("RAGAUTH_API", "RAGAUTH_URL", "RAGAUTH_SERVICE_KEY")
    environment = {
        **{name: text for name, text in given.items() if name not in clients},
        "HOST": "127.0.0.1",
        "PORT": str(ports["PORT"]),
        "RAGAUTH_CORS_ORIGINS": f"{given.get('RAGAUTH_CORS_ORIGINS', '')} {origins}".strip(),
        "RAGAUTH_DASHBOARD_URL": given.get("RAGAUTH_DASHBOARD_URL") or dashboard,
        # All of it is on the loopback.
        "RAGAUTH_REQUIRE_HTTPS": "false",
    }
    _command(environment, "db", "upgrade")
    service_key = _new_service_key(environment)
    # With nothing of the service's settings, its secrets above all.
    plain = {name: text for name, text in environment.items() if not name.startswith("RAGAUTH_")}
    plain |= {name: str(port) for name, port in ports.items()}
    for_dashboard = {"RAGAUTH_API": ragauth}
    for_service = {"RAGAUTH_URL": ragauth, "RAGAUTH_SERVICE_KEY": service_key}
    first_port, second_port, third_port = ports.values()
    with (
        _started("ragauth", first_port, RAGAUTH, environment) as first,
        _started("the dashboard", second_port, DASHBOARD, plain | for_dashboard) as second,
        _started("the sample API", third_port, SERVICE, plain | for_service) as third,
    ):
        instance = given.get("RAGAUTH_INSTANCE_DIR") or "instance"
        told = WORDS.format(
            ragauth=ragauth, dashboard=dashboard, service=service, instance=instance
        )
        print(told, flush=True)  # noqa: T201
        while True:
            for insist in (first, second, third):
                insist()
            time.sleep(0.5)


def _free_port(name: str, text: str) -> int:
    try:
        port = int(text)
        with socket.create_server(("127.0.0.1", port)):
            return port
    except (ValueError, OverflowError, OSError):
        raise Stop(
            f"127.0.0.1:{text} cannot be served: no port, or taken by another program."
            f" Take another: make demo {name}=…"
        ) from None


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _command(environment: Mapping[str, str], *arguments: str) -> str:
    """One of ragauth's commands, which must succeed; returns what it prints."""
    try:
        done = subprocess.run(  # noqa: S603 - the project's own
            [*FLASK, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=COMMAND_SECONDS,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise Stop(f"the demo stops: flask {' '.join(arguments[:2])} failed") from error
    return done.stdout


def _new_service_key(environment: Mapping[str, str]) -> str:
    """The key with which the sample API asks; that of the demo before is dead from now on."""
    for key in json.loads(_command(environment, "service-keys", "list", "--json")):
        if key["name"] == KEY_NAME:
            _command(environment, "service-keys", "revoke", key["id"], "--yes")
    made = _command(
        environment, "service-keys", "create", "--name", KEY_NAME, "--scope", "verify", "--json"
    )
    api_key: str = json.loads(made)["api_key"]
    return api_key


@contextmanager
def _started(
    name: str, port: int, command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Callable[[], None]]:
    """A server, ended in the end; yields what raises Stop if it has gone."""
    process = subprocess.Popen(  # noqa: S603 - the project's own
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )

    def insist() -> None:
        if process.poll() is not None:
            raise Stop(f"the demo stops: {name} ended by itself")

    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            insist()
            if time.monotonic() > deadline:
                raise Stop(f"the demo stops: {name} did not start within {START_SECONDS} s")
            time.sleep(0.1)
        yield insist
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
