"""What a key check costs against a Flask route that does nothing, and with ten times the keys."""

from contextlib import ExitStack

from bench import processes, wrk
from bench.contenders import Contender, cpu_ratio, interleave, key_questions, rate_ratio
from bench.figures import Figure, Report
from bench.population import Installation, service_key
from bench.setting import Setting, serve, serve_bare
from tests.servers.gunicorn import GunicornServer

AUTHORIZE = "/api/v1/authorize"
BARE = "bare Flask"
SQLITE = "`authorize`, SQLite"
POSTGRES = "`authorize`, Postgres"
REDIS = "`authorize`, Postgres and Redis"
VERIFY = "`verify`, SQLite"

_TIMES_AS_MANY = 10


def measure(setting: Setting, report: Report) -> None:
    """Compare `authorize` and `verify` with bare Flask, and a large database with the usual one."""
    sqlite = setting.usual()
    many = setting.usual_keys * _TIMES_AS_MANY
    grown = setting.sqlite("grown", many)
    postgres = setting.on_postgres("usual_postgres", setting.usual_keys)
    both = setting.on_postgres("usual_redis", setting.usual_keys)
    with_redis = {**both.environment, "RAGAUTH_REDIS_URL": setting.redis.url}
    of_postgres = {"Postgres": lambda: processes.family(setting.postgres.pid)}
    of_both = {**of_postgres, "Redis": lambda: [setting.redis.pid]}
    larger = f"`authorize`, {many:,} keys"
    with ExitStack() as servers:
        bare = servers.enter_context(serve_bare(setting))
        here = servers.enter_context(serve(sqlite.environment))
        there = servers.enter_context(serve(postgres.environment))
        shared = servers.enter_context(serve(with_redis))
        large = servers.enter_context(serve(grown.environment))

        def authorize(server: GunicornServer, installation: Installation) -> wrk.Questions:
            return key_questions(server, installation, setting, path=AUTHORIZE)

        contenders = {
            BARE: Contender(bare_questions(bare, setting), bare.pid),
            SQLITE: Contender(authorize(here, sqlite), here.pid, sqlite),
            POSTGRES: Contender(authorize(there, postgres), there.pid, postgres, of_postgres),
            REDIS: Contender(authorize(shared, both), shared.pid, both, of_both),
            VERIFY: Contender(_verify_questions(here, sqlite, setting), here.pid, sqlite),
            larger: Contender(authorize(large, grown), large.pid, grown),
        }
        report.notes += interleave(contenders, setting)
    flask = contenders[BARE]
    report.figures += [
        cpu_ratio(SQLITE, contenders[SQLITE], flask, 0.40),
        rate_ratio(SQLITE, contenders[SQLITE], flask, 2.5),
        cpu_ratio(POSTGRES, contenders[POSTGRES], flask, 0.55),
        rate_ratio(POSTGRES, contenders[POSTGRES], flask, 1.5),
        cpu_ratio(REDIS, contenders[REDIS], flask, 0.80),
        rate_ratio(REDIS, contenders[REDIS], flask, 1.0),
        Figure(
            f"{SQLITE}: p99 at {wrk.CONNECTIONS} connections ÷ bare Flask's",
            contenders[SQLITE].p99 / flask.p99,
            at_most=0.5,
        ),
        cpu_ratio(VERIFY, contenders[VERIFY], flask, 0.50),
        Figure(
            f"CPU with {many:,} ÷ {setting.usual_keys:,} keys, {setting.asked_keys:,} asked",
            contenders[larger].cpu / contenders[SQLITE].cpu,
            at_most=1.10,
        ),
    ]


def bare_questions(server: GunicornServer, setting: Setting) -> wrk.Questions:
    """The one that bare Flask answers."""
    nothing = wrk.write_lines(setting.folder / "nothing", [("", "")])
    return wrk.Questions(server.url, "GET", "/bare", nothing)


def _verify_questions(
    server: GunicornServer, installation: Installation, setting: Setting
) -> wrk.Questions:
    bodies = (
        (service_key(), f'{{"key": "{key}", "scope": "query"}}')
        for key in installation.sample(setting.asked_keys)
    )
    file = wrk.write_lines(setting.folder / f"verify-{server.pid}", bodies)
    return wrk.Questions(server.url, "POST", "/api/v1/keys/verify", file)
