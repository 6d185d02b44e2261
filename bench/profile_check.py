"""Where the time of one `authorize` goes, in process: `python -m bench.profile_check`.

One thread, no server and no network; each stage is called alone, in the same order of keys.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from io import BytesIO, StringIO
from pathlib import Path
from statistics import median
from typing import Any

import click

from bench.population import Installation, install
from ragauth import create_app
from ragauth.counters import Charge
from ragauth.extensions import db, runtime_of
from ragauth.metrics import ALLOWED, CHECKS, note_request
from ragauth.security import key_format
from ragauth.security.key_format import is_token_shaped
from ragauth.services.keys.check import KeyChecker, Question
from ragauth.services.limits.limits import Wanted
from ragauth.services.limits.spans import span_of
from ragauth.services.limits.usage import save_usage
from ragauth.web.around import request_id_of, write_request_line
from ragauth.web.check.answers import authorize_answer
from ragauth.web.check.questions import authorize_question
from ragauth.web.credentials import presented_key
from tests.servers.postgres import start_postgres
from tests.servers.processes import memory_folder

_ROUNDS = 10
_DATABASES = ("sqlite", "postgres")
_IP = "192.0.2.7"


@click.command()
@click.option("--calls", default=20_000, show_default=True, help="Calls of each stage.")
@click.option("--keys", default=10_000, show_default=True, help="Keys in the database.")
@click.option("--asked", default=2_000, show_default=True, help="Different keys that are asked.")
@click.option("--only", type=click.Choice(_DATABASES), help="This database alone.")
def main(calls: int, keys: int, asked: int, only: str | None) -> None:
    """Print the microseconds of each stage of one check, on SQLite and on Postgres."""
    with tempfile.TemporaryDirectory(dir=memory_folder(512)) as name, start_postgres() as postgres:
        postgres.create_database("profile")
        folder = Path(name)
        urls = {
            "sqlite": f"sqlite:///{folder / 'ragauth.db'}",
            "postgres": postgres.url("profile"),
        }
        for title in [only] if only else _DATABASES:
            url = urls[title]
            installation = install(folder / title, url, keys=keys)
            _profile(title, installation, calls, installation.sample(asked))


def _profile(title: str, installation: Installation, calls: int, keys: list[str]) -> None:
    os.environ.update(installation.environment)
    app = create_app()
    # Its requests come from no server: nothing is to run beside what is measured.
    app.testing = True
    stages = _stages(app, keys)
    times: dict[str, list[tuple[float, float]]] = {stage: [] for stage in stages}
    with _silent_stderr():
        for _ in range(_ROUNDS):
            for stage, call in stages.items():
                times[stage].append(_microseconds(call, calls // _ROUNDS, len(keys)))
        with app.app_context():
            counters = runtime_of(app).limits.counters
            save_usage(counters)
            checker: KeyChecker = runtime_of(app).key_checker
            for key in keys:
                checker.check(key, Question(cost=1))
            began_at, cpu_at = time.perf_counter_ns(), time.thread_time_ns()
            saved = save_usage(counters)
            cpu, wall = time.thread_time_ns() - cpu_at, time.perf_counter_ns() - began_at
    saving = f"saving a changed usage row, one of {saved} (in background)"
    times[saving] = [(cpu / saved / 1000, wall / saved / 1000)]
    click.echo(f"\n{title}: µs a call, medians of {_ROUNDS} rounds")
    click.echo(f"  {'':60} {'CPU':>8} {'wall':>8}")
    for stage, values in times.items():
        cpus, walls = zip(*values, strict=True)
        click.echo(f"  {stage:60} {median(cpus):8.2f} {median(walls):8.2f}")
    with app.app_context():
        db.engine.dispose()


def _stages(app: Any, keys: list[str]) -> dict[str, Callable[[int], object]]:
    """The stages by name; each is called with the index of a key."""
    gate = app.wsgi_app
    checker: KeyChecker = runtime_of(app).key_checker
    policy = checker.policy
    digests = [key_format.digest_key(key) for key in keys]
    environs = [_environ(key) for key in keys]
    facts = [checker.lookup.find_key(digest) for digest in digests]
    verdicts = [checker.check(key, Question(cost=1, client_ip=_IP)) for key in keys]
    known = [fact for fact in facts if fact is not None and fact.account_id is not None]
    if len(known) != len(keys) or any(verdict.refusal for verdict in verdicts):
        raise RuntimeError("a key that should be good is not")

    def admit(index: int) -> object:
        fact = known[index]
        return checker.limits.admit_all((Wanted(fact.account_id or b"", fact, 1),))

    def store(index: int) -> object:
        fact, span = known[index], span_of(time.time_ns() // 1_000_000)
        now_ms = time.time_ns() // 1_000_000
        return checker.limits.counters.admit(
            Charge(
                fact.account_id or b"", fact.id, 0, 10**9, 10**12, 1, span.month, span.day, now_ms
            )
        )

    def driver(index: int) -> object:
        lookup = checker.lookup
        return lookup._reads.read(lookup._key_sql, {"digest": digests[index]})

    def question(index: int) -> object:
        environ = environs[index]
        key = presented_key(environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_X_API_KEY"))
        return is_token_shaped(key), authorize_question(environ, policy)

    def form(index: int) -> object:
        return key_format.is_well_formed(keys[index], "rag"), key_format.digest_key(keys[index])

    def request_line(_index: int) -> None:
        write_request_line(
            request_id="0" * 32,
            method="GET",
            path="/api/v1/authorize",
            status=200,
            started_at=time.perf_counter(),
            ip=_IP,
            account_id="acc_01h455vb4pex5vsknk084sn02q",
        )

    def metrics(_index: int) -> None:
        CHECKS.observe(0.0003, ALLOWED)
        note_request("/api/v1/authorize", "GET", 200, 0.0003)

    return {
        "nothing (the loop itself)": lambda _: None,
        "the whole call": lambda index: gate(environs[index].copy(), _start_response),
        "  question: credential, query": question,
        "  form and digest of the key": form,
        "  lookup": lambda index: checker.lookup.find_key(digests[index]),
        "    of that, the driver alone": driver,
        "  the small checks": lambda index: checker._find_refusal(known[index], Question()),
        "  limits with counters": admit,
        "    the counter store alone": store,
        "  (checker.check: the five above, no question)": lambda index: checker.check(
            keys[index], Question(cost=1, client_ip=_IP)
        ),
        "  rendering": lambda index: authorize_answer(verdicts[index], policy, limit_status=429),
        "  request id": lambda _: request_id_of(None),
        "  request line": request_line,
        "  metrics": metrics,
    }


def _microseconds(call: Callable[[int], object], calls: int, keys: int) -> tuple[float, float]:
    """This thread's CPU time, and the time on the wall."""
    order = [index % keys for index in range(calls)]
    began_at, cpu_at = time.perf_counter_ns(), time.thread_time_ns()
    for index in order:
        call(index)
    cpu, wall = time.thread_time_ns() - cpu_at, time.perf_counter_ns() - began_at
    return cpu / calls / 1000, wall / calls / 1000


def _environ(key: str) -> dict[str, Any]:
    """What gunicorn gives an application for a gateway's question."""
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/api/v1/authorize",
        "RAW_URI": "/api/v1/authorize?scope=query",
        "QUERY_STRING": "scope=query",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": _IP,
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": StringIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _start_response(status: str, _headers: list[tuple[str, str]]) -> None:
    if status != "200 OK":
        raise RuntimeError(status)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Request lines go to /dev/null, line by line, as a server's go to its log."""
    with open(os.devnull, "w", buffering=1) as nowhere, redirect_stderr(nowhere):
        yield


if __name__ == "__main__":
    main()
