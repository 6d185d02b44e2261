"""How the process serves: settings for gunicorn and the command line."""

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

# Only gunicorn's configuration reads it; it is no setting of the application.
SERVER_SETTING = "RAGAUTH_SERVER"
_WORKER_CLASSES = {
    "ragauth": "ragauth.server.worker.Worker",
    "gunicorn": "gthread",
}
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)
_UNIX = re.compile(r"unix:(//)?")
# Flask's own options that take a value; the others are flags.
_FLASK_OPTIONS = ("-A", "--app", "-e", "--env-file")
# Commands that create a missing instance.
_FIRST_COMMANDS = (("run",), ("serve",), ("db", "upgrade"))
_FROM_FLASK = "FLASK_RUN_FROM_CLI"
# The variable by which a master passes its workers to the next version: `pid:descriptor` of each
# heartbeat.
WORKERS_BEFORE = "GUNICORN_WORKERS_BEFORE"


def has_own_server() -> bool:
    """Whether `ragauth/server` exists; without it the service runs on gunicorn's threads."""
    found = find_spec("ragauth.server")
    # A leftover folder with `__pycache__` alone would be found as a package, but without a file.
    return found is not None and found.origin is not None


def is_flask_command() -> bool:
    """Whether this process is a command of `flask` or `ragauth`, not a server."""
    return os.environ.get(_FROM_FLASK) == "true"


def begin_command() -> None:
    """Make this process a command, as `flask …` does."""
    os.environ[_FROM_FLASK] = "true"


def is_serving() -> bool:
    """Whether this process will answer requests: all except commands, and `flask run`."""
    return not is_flask_command() or _flask_words()[:1] == ["run"]


def may_make_instance() -> bool:
    """Whether this process may create a missing instance."""
    if not is_flask_command():
        return True
    words = tuple(_flask_words())
    return any(words[: len(first)] == first for first in _FIRST_COMMANDS)


def is_explaining() -> bool:
    """Whether this command only shows help, or the policy, and so needs no instance."""
    words = _flask_words()
    return is_flask_command() and (not words or words[0] == "policy" or "--help" in sys.argv)


def is_checking_policy() -> bool:
    """Whether this command checks a policy file, and so takes no setting."""
    return is_flask_command() and _flask_words()[:2] == ["policy", "check"]


def _flask_words() -> list[str]:
    """The words of a `flask …` command line without options."""
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

    Raises SettingsError that names every malformed one, and if this process should take over from
    one with `ragauth/server` but does not have that folder.
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

    gunicorn itself reads WEB_CONCURRENCY before our configuration, and fails if it is empty.
    SCRIPT_NAME was removed from this process's environment; it is put back for the server.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != _FROM_FLASK and (name != "WEB_CONCURRENCY" or value.strip())
    }
    return environment | {"SCRIPT_NAME": mounted_at()}


def has_inherited_sockets() -> bool:
    """Whether systemd, or the gunicorn that this one replaces, passes listening sockets."""
    return "GUNICORN_FD" in os.environ or os.environ.get("LISTEN_PID") == str(os.getpid())


def environment_for_successor(
    environment: Mapping[str, str],
    *,
    listeners: Sequence[int],
    is_systemd: bool,
    workers: Mapping[int, int],
) -> dict[str, str]:
    """The environment for the program with which a master replaces itself by exec.

    `listeners` are its sockets' descriptors, `workers` the process ids of its workers with the
    descriptor of each heartbeat. gunicorn finds the sockets by its own two variables, or by
    systemd's.
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
    """Process id and heartbeat of each worker that this process had as the old version."""
    pairs = (pair.split(":") for pair in os.environ.pop(WORKERS_BEFORE, "").split(",") if pair)
    return [(int(pid), int(heartbeat)) for pid, heartbeat in pairs]
