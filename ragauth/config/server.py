"""How the process serves: what gunicorn and the command line ask of the environment."""

import os
import sys
from dataclasses import dataclass

from environs import Env, validate

from ragauth.config.values import POSITIVE, SettingsError, collect_faults


def is_flask_command() -> bool:
    """Whether this process is `flask …`, not a server's, which `flask run` is."""
    return os.environ.get("FLASK_RUN_FROM_CLI") == "true" and "run" not in sys.argv[1:]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How gunicorn serves: where it listens and with how many processes."""

    host: str
    port: int
    workers: int
    threads: int


def read_server_settings() -> ServerSettings:
    """Read HOST, PORT, WEB_CONCURRENCY (processes) and WEB_THREADS (threads in each)."""
    env = Env(eager=False)
    settings = ServerSettings(
        host=env.str("HOST", "127.0.0.1"),
        port=env.int("PORT", 8000, validate=validate.Range(0, 65535)),
        workers=env.int("WEB_CONCURRENCY", os.cpu_count() or 1, validate=POSITIVE),
        threads=env.int("WEB_THREADS", 8, validate=POSITIVE),
    )
    faults = collect_faults(env)
    if faults:
        raise SettingsError("\nragauth: ".join(faults))
    return settings
