"""How the process serves: what gunicorn and the command line ask of the environment."""

import ipaddress
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from marshmallow import ValidationError, validate

from ragauth.config.environment import Variables, expand_home
from ragauth.config.mount import mounted_at
from ragauth.config.values import POSITIVE, SettingsError, warn_of_white_space

# Also read by gunicorn's configuration alone: no setting of the application.
SERVER_SETTING = "RAGAUTH_SERVER"
_WORKER_CLASSES = {
    "ragauth": "ragauth.server.worker.Worker",
    "gunicorn": "gthread",
}
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)
_UNIX = re.compile(r"unix:(//)?")
# Flask's own options that take a value; the others are flags.
_FLASK_OPTIONS = ("-A", "--app", "-e", "--env-file")
# These make the instance where there is none.
_FIRST_COMMANDS = (("run",), ("serve",), ("db", "upgrade"))
_FROM_FLASK = "FLASK_RUN_FROM_CLI"
# What a master hands to the version after it: `pid:descriptor` of each worker's heartbeat.
WORKERS_BEFORE = "GUNICORN_WORKERS_BEFORE"


def has_own_server() -> bool:
    """Whether `ragauth/server` is there: the service works without it, on gunicorn's threads."""
    found = find_spec("ragauth.server")
    # What is left of a folder that was taken out, its `__pycache__`, is a package without a file.
    return found is not None and found.origin is not None


def is_flask_command() -> bool:
    """Whether this process is `flask …`, not a server's."""
    return os.environ.get(_FROM_FLASK) == "true"


def is_serving() -> bool:
    """Whether this process answers requests, or is to: each but a command, and `flask run`."""
    return not is_flask_command() or _flask_words()[:1] == ["run"]


def may_make_instance() -> bool:
    """Whether this process is one that makes the instance where there is none."""
    if not is_flask_command():
        return True
    words = tuple(_flask_words())
    return any(words[: len(first)] == first for first in _FIRST_COMMANDS)


def is_explaining() -> bool:
    """Whether this is a command that only tells what commands there are: it needs no instance."""
    return is_flask_command() and (not _flask_words() or "--help" in sys.argv)


def _flask_words() -> list[str]:
    """The command of `flask …` and what follows it, without options."""
    arguments = iter(sys.argv[1:])
    for argument in arguments:
        if argument in _FLASK_OPTIONS:
            next(arguments, None)
        elif not argument.startswith("-"):
            return [argument, *(word for word in arguments if not word.startswith("-"))]
    return []


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How gunicorn serves: where it listens and with how many processes."""

    host: str
    port: int
    workers: int
    threads: int
    server: str

    @property
    def bind(self) -> str:
        """The address in gunicorn's form."""
        if self.host.startswith("unix:"):
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def worker_class(self) -> str:
        return _WORKER_CLASSES[self.server]


def read_server_settings() -> ServerSettings:
    """Read HOST, PORT, WEB_CONCURRENCY (processes), WEB_THREADS (threads in each), RAGAUTH_SERVER.

    Raises SettingsError naming every one that is malformed, and where this process is to take over
    from one with `ragauth/server` and has not got it.
    """
    if WORKERS_BEFORE in os.environ and not has_own_server():
        raise SettingsError(
            "ragauth/server is not there, which would take over the workers of the version before:"
            " stop the service and start it again"
        )
    env = Variables()
    host = env.text("HOST", "127.0.0.1", host_of)
    settings = ServerSettings(
        host=host_of(host),
        port=env.number("PORT", 8000, validate.Range(0, 65535)),
        workers=env.number("WEB_CONCURRENCY", os.cpu_count() or 1, POSITIVE),
        threads=env.number("WEB_THREADS", 8, POSITIVE),
        server=env.text(
            SERVER_SETTING,
            "ragauth" if has_own_server() else "gunicorn",
            validate.OneOf(tuple(_WORKER_CLASSES)),
            _must_be_there,
        ),
    )
    if env.faults:
        raise SettingsError(*env.faults)
    warn_of_white_space(env.trimmed)
    return settings


def _must_be_there(server: str) -> None:
    if server == "ragauth" and not has_own_server():
        raise ValidationError("ragauth/server is not there; leave it out, or set gunicorn")


def host_of(text: str) -> str:
    """An address without brackets, a name, or `unix:` and a path; raises ValidationError."""
    if match := _UNIX.match(text):
        path = text[match.end() :]
        if not path:
            raise ValidationError("must have a path after unix:")
        return f"unix:{expand_home(path).absolute()}"
    address = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        if address != text or _HOST_NAME.fullmatch(text) is None:
            raise ValidationError(
                "must be an address, a name, or unix:/path; the port is set by PORT"
            ) from None
        return text


def server_environment() -> dict[str, str]:
    """The environment of a gunicorn that a command starts.

    gunicorn itself reads WEB_CONCURRENCY before it asks us, and fails for one that is empty.
    SCRIPT_NAME was taken out of this process's environment, and is the server's to read again.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != _FROM_FLASK and (name != "WEB_CONCURRENCY" or value.strip())
    }
    return environment | {"SCRIPT_NAME": mounted_at()}


def has_inherited_sockets() -> bool:
    """Whether systemd, or the gunicorn that this one replaces, hands over sockets that listen."""
    return "GUNICORN_FD" in os.environ or os.environ.get("LISTEN_PID") == str(os.getpid())


def environment_for_successor(
    environment: Mapping[str, str],
    *,
    listeners: Sequence[int],
    is_systemd: bool,
    workers: Mapping[int, int],
) -> dict[str, str]:
    """That of the program which a master executes in its own place, with the same process id.

    `listeners` are its sockets' descriptors, `workers` the process ids of its workers with the
    descriptor of each heartbeat. gunicorn takes its own two names, or systemd's, for the sockets.
    """
    given = {WORKERS_BEFORE: ",".join(f"{pid}:{heartbeat}" for pid, heartbeat in workers.items())}
    pid = str(os.getpid())
    if is_systemd:
        given |= {"LISTEN_PID": pid, "LISTEN_FDS": str(len(listeners))}
    elif listeners:
        given |= {"GUNICORN_PID": pid, "GUNICORN_FD": ",".join(map(str, listeners))}
    before = {"GUNICORN_PID", "GUNICORN_FD", "LISTEN_PID", "LISTEN_FDS"}
    return {name: value for name, value in environment.items() if name not in before} | given


def take_workers_before() -> list[tuple[int, int]]:
    """Process id and heartbeat of each worker that this process had as the version before."""
    pairs = (pair.split(":") for pair in os.environ.pop(WORKERS_BEFORE, "").split(",") if pair)
    return [(int(pid), int(heartbeat)) for pid, heartbeat in pairs]
