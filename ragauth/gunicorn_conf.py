"""gunicorn's configuration: `gunicorn -c python:ragauth.gunicorn_conf wsgi:app`."""

import gc
import logging
import sys
from pathlib import Path
from typing import Any

from flask import Flask

# First: it loads everything at once, without the collector.
from ragauth import create_app  # noqa: F401
from ragauth.config import (
    SettingsError,
    has_inherited_sockets,
    has_own_server,
    read_server_settings,
)
from ragauth.extensions import runtime_of
from ragauth.metrics import HUNG, KILLED, WORKER_DEATHS, WORKER_STARTS, WORKS, board
from ragauth.web.listening import fault_in_listening
from ragauth.web.log_writer import log_without_waiting
from ragauth.web.logs import configure_logging
from ragauth.web.open_files import most_connections, raise_open_files

if has_own_server():
    from ragauth.server import beside, handover

log = logging.getLogger("ragauth")

configure_logging()
try:
    _server = read_server_settings()
except SettingsError as error:
    sys.exit(f"ragauth: {error}")

bind = _server.bind
workers = _server.workers
threads = _server.threads
worker_connections = most_connections(raise_open_files(), _server.threads)
worker_class = _server.worker_class
# The application is loaded once, before the fork: workers share its memory and start at once.
preload_app = True
graceful_timeout = 30
# In seconds. A worker whose poller makes no turn for this long is killed and replaced. Turns are
# short: the poller waits only for clients, and bcrypt releases the GIL.
timeout = 30
keepalive = 5
# The poller sends every answer from memory, also those that were read from a file.
sendfile = False
# gunicorn puts this socket in the home directory, where all instances would share it.
control_socket_disable = True
_memory = Path("/dev/shm")  # noqa: S108 - a folder of this name is what is wanted
if _memory.is_dir():
    # A heartbeat on a slow disk would make gunicorn take a living worker for dead.
    worker_tmp_dir = str(_memory)
# Only RAGAUTH_TRUSTED_PROXIES decides which proxies are trusted; no request comes from this
# address. No header may set SCRIPT_NAME, even from a proxy that is allowed on the command line:
# gunicorn would answer 500 for paths outside it.
forwarded_allow_ips = "192.0.2.1"
forwarder_headers = ""

accesslog = None

if has_own_server():
    # For every class of worker.
    logger_class = "ragauth.server.answers.ErrorLogger"
    # Called at SIGUSR2, in the process that becomes the second master.
    pre_exec = handover.place_for_systemd


def on_starting(server: Any) -> None:
    """Check the addresses, which may come from `--bind`; called before the server listens."""
    if not has_inherited_sockets() and not server.cfg.reuse_port:
        fault = fault_in_listening(server.cfg.address)
        if fault is not None:
            sys.exit(f"ragauth: {fault}")
    # Not earlier: the reason for a failed start must be written at once.
    log_without_waiting()
    if has_own_server():
        handover.prepare(server)
    else:
        log.info("gunicorn's own threads serve: ragauth/server is missing")


def when_ready(server: Any) -> None:
    """Before the fork, freeze loaded objects, so that garbage collection copies no shared page.

    No collection runs first: it would take as long as loading the application, and free only about
    a thousand objects.
    """
    gc.freeze()
    if has_own_server():
        if _server.server == "ragauth" and isinstance(application := server.app.wsgi(), Flask):
            background = runtime_of(application).background
            background.leave_to_process_beside()
            beside.begin(server, beside.ProcessBeside("beside", background.run_until, WORKS))
        handover.begin(server)


def pre_fork(_server: object, worker: Any) -> None:
    """Give the worker a slot of its own for metrics; its successor continues in it."""
    worker.metrics_slot = board.take_slot()


def post_fork(_server: object, worker: Any) -> None:
    if has_own_server():
        beside.forget_all()
    board.enter_slot(worker.metrics_slot)
    WORKER_STARTS.count()


def post_worker_init(worker: Any) -> None:
    if has_own_server():
        handover.accept_signals()
    # It starts nothing if a process beside the workers does the work. A wrapped application starts
    # it at the first request.
    if isinstance(worker.wsgi, Flask):
        runtime_of(worker.wsgi).background.ensure_started()


def worker_exit(_server: object, _worker: Any) -> None:
    """Called in a worker that ends by itself."""
    board.end()


def on_exit(server: Any) -> None:
    """Called in the master, after its last worker has ended."""
    if has_own_server():
        beside.end_all(server)


def child_exit(_server: object, worker: Any) -> None:
    """Called in the master after the end of each worker, also by SIGKILL."""
    # A worker of the previous version has its slot on that version's board.
    if worker.metrics_slot is not None:
        has_ended_itself = board.leave_slot(worker.metrics_slot)
        if not worker.aborted and has_ended_itself:
            return
    elif not worker.aborted:
        return
    WORKER_DEATHS.count(HUNG if worker.aborted else KILLED)
    words = "a worker hung and was killed" if worker.aborted else "a worker was killed"
    log.error(words, extra={"worker": worker.pid})


logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "ragauth.web.logs.formatter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "stream": "ext://ragauth.web.log_writer.log_stream",
        }
    },
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {
        "alembic": {"level": "WARNING"},
        "gunicorn.error": {
            "level": "INFO",
            "handlers": ["stderr"],
            "propagate": False,
            "qualname": "gunicorn.error",
        },
        "gunicorn.access": {
            "level": "INFO",
            "handlers": [],
            "propagate": False,
            "qualname": "gunicorn.access",
        },
    },
}
