"""Requests a second and CPU of each contender against a Flask route that does nothing."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from bench import processes, wrk
from bench.client import Caller
from bench.figures import Figure, Report
from bench.population import Installation, service_key
from bench.setting import Setting, serve, serve_bare
from tests.servers.gunicorn import GunicornServer

_ASKED_KEYS = 4_000
_SESSIONS = 16
_SETTLE_SECONDS = 1.2
_WARM_UP_SECONDS = 3

BARE = "bare Flask"
SQLITE = "authorize, SQLite"
POSTGRES = "authorize, Postgres"
VERIFY = "verify, SQLite"
VERIFY_POSTGRES = "verify, Postgres"
ME = "GET /api/auth/me with a JWT, SQLite"
WSGI = "bare WSGI callable"


@dataclass(slots=True)
class Contender:
    """One server with one kind of question, and what its rounds have shown."""

    questions: wrk.Questions
    server: GunicornServer
    database_url: str | None = None
    loads: list[wrk.Load] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    database_cpus: list[float] = field(default_factory=list)
    answered: int = 0

    def warm_up(self) -> None:
        """Ask for a while without keeping the figures: a month begins with a read of its own."""
        self.answered += wrk.run(self.questions, seconds=_WARM_UP_SECONDS).requests
        time.sleep(_SETTLE_SECONDS)

    def run(self, seconds: float) -> None:
        """Measure one round."""
        server, database = self._cpu(), self._database_cpu()
        load = wrk.run(self.questions, seconds=seconds)
        # The usage of the last second is saved now: at this contender's cost, not at the next's.
        time.sleep(_SETTLE_SECONDS)
        self.cpus.append((self._cpu() - server) / load.requests * 1e6)
        self.database_cpus.append((self._database_cpu() - database) / load.requests * 1e6)
        self.loads.append(load)
        self.answered += load.requests

    def _cpu(self) -> float:
        return processes.cpu_seconds(processes.of_gunicorn(self.server))

    def _database_cpu(self) -> float:
        if self.database_url is None:
            return 0.0
        return processes.cpu_seconds(processes.of_postgres(self.database_url))

    @property
    def per_second(self) -> float:
        """Requests a second, the median of the rounds."""
        return median(load.per_second for load in self.loads)

    @property
    def cpu(self) -> float:
        """CPU microseconds of a request, the median of the rounds."""
        return median(self.cpus)

    @property
    def database_cpu(self) -> float:
        """The same of the database server's own processes."""
        return median(self.database_cpus)


def interleave(contenders: dict[str, Contender], setting: Setting) -> None:
    """Measure all of them in turn, round after round, after a short run to warm up."""
    for contender in contenders.values():
        contender.warm_up()
    for _ in range(setting.rounds):
        for contender in contenders.values():
            contender.run(setting.seconds)


def key_questions(
    server: GunicornServer, installation: Installation, setting: Setting, *, asked: int
) -> wrk.Questions:
    """`authorize` for so many keys, drawn from all of the installation's."""
    file = setting.folder / f"authorize-{server.pid}"
    wrk.write_lines(file, ((key, "") for key in installation.sample(asked)))
    return wrk.Questions(server.url, "GET", "/api/v1/authorize", file)


def measure(setting: Setting, report: Report) -> None:
    """Compare `authorize`, `verify` and `me` with the bare ones."""
    sqlite = setting.sqlite("usual", setting.usual_keys)
    postgres = setting.on_postgres("usual_postgres", setting.usual_keys)
    url = setting.postgres.url("usual_postgres")
    nothing = wrk.write_lines(setting.folder / "nothing", [("", "")])
    with ExitStack() as servers:
        bare = servers.enter_context(serve_bare("bench.bare_flask:app"))
        wsgi = servers.enter_context(serve_bare("bench.bare_wsgi:app"))
        here = servers.enter_context(serve(sqlite.environment))
        there = servers.enter_context(serve(postgres.environment))
        contenders = {
            BARE: Contender(wrk.Questions(bare.url, "GET", "/bare", nothing), bare),
            SQLITE: Contender(key_questions(here, sqlite, setting, asked=_ASKED_KEYS), here),
            POSTGRES: Contender(
                key_questions(there, postgres, setting, asked=_ASKED_KEYS), there, url
            ),
            VERIFY: Contender(_verify_questions(here, sqlite, setting), here),
            VERIFY_POSTGRES: Contender(_verify_questions(there, postgres, setting), there, url),
            ME: Contender(_me_questions(here, setting), here),
            WSGI: Contender(wrk.Questions(wsgi.url, "GET", "/bare", nothing), wsgi),
        }
        before = sqlite.counted_requests(), postgres.counted_requests()
        interleave(contenders, setting)
        time.sleep(_SETTLE_SECONDS)
        after = sqlite.counted_requests(), postgres.counted_requests()
    _add_figures(report, contenders)
    for index, names in enumerate(((SQLITE, VERIFY), (POSTGRES, VERIFY_POSTGRES))):
        asked = [contenders[name] for name in names]
        report.notes.append(_compare_usage(after[index] - before[index], asked, names))


def _add_figures(report: Report, contenders: dict[str, Contender]) -> None:
    bare = contenders[BARE]

    def rate(name: str, at_least: float | None = None) -> Figure:
        ratio = contenders[name].per_second / bare.per_second
        return Figure(f"{name}: requests/s ÷ bare Flask", ratio, at_least=at_least)

    def cpu(name: str, at_most: float | None = None) -> Figure:
        ratio = contenders[name].cpu / bare.cpu
        return Figure(f"{name}: CPU ÷ bare Flask", ratio, at_most=at_most)

    report.figures += [
        rate(SQLITE, 1.5),
        cpu(SQLITE, 0.65),
        rate(POSTGRES, 1.1),
        cpu(POSTGRES),
        rate(VERIFY, 0.9),
        rate(VERIFY_POSTGRES),
        rate(ME, 0.35),
        rate(WSGI),
        cpu(WSGI),
    ]
    for name, contender in contenders.items():
        low, high = (pick(load.per_second for load in contender.loads) for pick in (min, max))
        note = (
            f"{name}: {contender.per_second:,.0f} requests/s ({low:,.0f} to {high:,.0f}),"
            f" {contender.cpu:.0f} µs of CPU a request"
        )
        if contender.database_url is not None:
            note += f", and {contender.database_cpu:.0f} µs of the Postgres server's own"
        report.notes.append(note)


def _compare_usage(counted: int, contenders: list[Contender], names: tuple[str, ...]) -> str:
    """A sentence on the usage rows; raises unless they agree with what wrk saw.

    They may have more: what was in flight when a run of wrk ended.
    """
    answered = sum(contender.answered for contender in contenders)
    runs = sum(len(contender.loads) + 1 for contender in contenders)
    if not answered <= counted <= answered + runs * wrk.CONNECTIONS:
        raise RuntimeError(f"usage rows count {counted} requests, wrk saw {answered}")
    return (
        f"{' and '.join(names)}: wrk saw {answered:,} answers, all 200; the usage rows count"
        f" {counted:,} (up to {wrk.CONNECTIONS} were in flight at the end of each of {runs} runs)"
    )


def _verify_questions(
    server: GunicornServer, installation: Installation, setting: Setting
) -> wrk.Questions:
    bodies = (
        (service_key(), f'{{"key": "{key}", "scope": "query"}}')
        for key in installation.sample(_ASKED_KEYS)
    )
    file = wrk.write_lines(setting.folder / f"verify-{server.pid}", bodies)
    return wrk.Questions(server.url, "POST", "/api/v1/keys/verify", file)


def _me_questions(server: GunicornServer, setting: Setting) -> wrk.Questions:
    caller = Caller(server.url)
    tokens = [(caller.log_in(number), "") for number in range(_SESSIONS)]
    caller.close()
    file = wrk.write_lines(setting.folder / f"me-{server.pid}", tokens)
    return wrk.Questions(server.url, "GET", "/api/auth/me", file)
