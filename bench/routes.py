"""The CPU of the ordinary routes: at 16 connections, and of what can only follow one another."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from bench import history, processes, wrk
from bench.checks import BARE, bare_questions
from bench.client import Caller
from bench.contenders import Contender, cpu_ratio, interleave, key_questions
from bench.figures import Figure, Report
from bench.setting import Setting, serve, serve_bare
from tests.servers.gunicorn import GunicornServer

_SESSIONS = 16
_TURN = 100
# Mail that an act causes is written in the background.
_SETTLE_SECONDS = 2.0
_HEALTHZ = "`GET /healthz`"
_NOT_FOUND = "404"
_ME = "`GET /api/auth/me`"
_HOLDER = "`GET /api/v1/me`"
_KEYS = "a page of 50 keys"
_EVENTS = "a page of 50 events"
_USAGE = "`GET /api/auth/usage`, 500 keys, 365 days, the default page"
_YEAR = "`GET /api/auth/usage`, 500 keys, 365 days, a page of the year"
_METRICS = "`GET /metrics`"
_GOALS = {
    **{_HEALTHZ: 0.9, _NOT_FOUND: 0.9, _ME: 1.5, _HOLDER: 2.0, _KEYS: 4.0, _EVENTS: 4.0},
    **{_USAGE: 6.0, _YEAR: 6.0, _METRICS: 6.0},
}


def measure(setting: Setting, report: Report) -> None:
    """Compare the routes with bare Flask; refresh and make keys one after another."""
    installation = setting.with_large_account()
    today = datetime.now(UTC).date()
    year = f"from={today - timedelta(days=history.DAYS - 1)}&to={today}"
    with ExitStack() as servers:
        bare = servers.enter_context(serve_bare(setting))
        server = servers.enter_context(serve(installation.environment))
        nothing = setting.folder / "nothing"
        mine = _token_file(server, setting, "mine", list(range(_SESSIONS)))
        large = _token_file(server, setting, "large", [history.LARGE_ACCOUNT] * 2)

        def get(path: str, lines: Path, status: int = 200) -> Contender:
            questions = wrk.Questions(server.url, "GET", path, lines, status)
            return Contender(questions, server.pid)

        contenders = {
            BARE: Contender(bare_questions(bare, setting), bare.pid),
            _HEALTHZ: get("/healthz", nothing),
            _NOT_FOUND: get("/nothing", nothing, 404),
            _ME: get("/api/auth/me", mine),
            _HOLDER: Contender(
                key_questions(server, installation, setting, path="/api/v1/me"), server.pid
            ),
            _KEYS: get("/api/auth/api-keys?limit=50", large),
            _EVENTS: get("/api/auth/events?limit=50", large),
            _USAGE: get("/api/auth/usage", large),
            _YEAR: get(f"/api/auth/usage?{year}", large),
            _METRICS: get("/metrics", nothing),
        }
        report.notes += interleave(contenders, setting)
        report.figures += [
            cpu_ratio(name, contenders[name], contenders[BARE], goal)
            for name, goal in _GOALS.items()
        ]
        _measure_one_after_another(server, setting, report)


def _measure_one_after_another(server: GunicornServer, setting: Setting, report: Report) -> None:
    caller = Caller(server.url)
    sessions = [caller.open_session(number) for number in range(_SESSIONS)]
    refreshes, keys = 0, 0

    def refresh() -> None:
        nonlocal refreshes
        session = sessions[refreshes % _SESSIONS]
        body = {"refresh_token": session["refresh_token"]}
        status, content = caller.ask("POST", "/api/auth/token/refresh", body=body)
        if status != 200:
            raise RuntimeError(f"a refresh answered {status}: {content!r}")
        session.update(json.loads(content)["data"])
        refreshes += 1

    def make_key() -> None:
        # In turns, for an account may make 120 changes a minute.
        nonlocal keys
        body = {"name": f"Made {keys}"}
        token = sessions[keys % _SESSIONS]["token"]
        status, content = caller.ask("POST", "/api/auth/api-keys", credential=token, body=body)
        if status != 201:
            raise RuntimeError(f"a new key answered {status}: {content!r}")
        keys += 1

    acts: dict[str, tuple[Callable[[], None], float]] = {
        "a refresh, one after another": (refresh, 2.0),
        "a new key, one after another": (make_key, 3.0),
    }
    found: dict[str, list[float]] = {name: [] for name in acts}
    for act, _ in acts.values():
        act()
    for _ in range(setting.rounds):
        for name, (act, _) in acts.items():
            before = processes.cpu_seconds(processes.family(server.pid))
            for _ in range(_TURN):
                act()
            time.sleep(_SETTLE_SECONDS)
            after = processes.cpu_seconds(processes.family(server.pid))
            found[name].append((after - before) / _TURN * 1000)
    caller.close()
    report.figures += [
        Figure(name, median(found[name]), unit="ms of CPU", at_most=goal)
        for name, (_, goal) in acts.items()
    ]


def _token_file(server: GunicornServer, setting: Setting, name: str, accounts: list[int]) -> Path:
    caller = Caller(server.url)
    tokens = [(caller.log_in(number), "") for number in accounts]
    caller.close()
    return wrk.write_lines(setting.folder / f"tokens-{name}", tokens)
