"""What others' services cost for the same question; asked for by `--only peers` alone.

They are installed from PyPI, pinned, into an environment that is thrown away afterwards. Each has
the server and the settings that its own documents recommend.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import wrk
from bench.checks import AUTHORIZE, SQLITE
from bench.client import Caller
from bench.contenders import Contender, interleave, key_questions
from bench.figures import Figure, Report
from bench.setting import THREADS, WORKERS, Setting, serve
from tests.servers.processes import ServerProcess, free_port
from tests.waiting import wait_until

_APPS = Path(__file__).with_name("peer_apps")
_FASTAPI = "FastAPI + SQLAlchemy async"
_DRF = "DRF-api-key"
_KNOX = "knox"
_GOALS = {_KNOX: 27.2, _DRF: 17.2, _FASTAPI: 11.8}
_NOT_RUN = "not run: better-auth (needs npm) and Flask-Security; none of those run counts or limits"
_UVICORN = (
    "uvicorn",
    "fastapi_app:app",
    "--host",
    "127.0.0.1",
    "--workers",
    str(WORKERS),
    "--port",
)
_GUNICORN = (
    *("gunicorn", "django_app:app", "--workers", str(WORKERS), "--threads", str(THREADS)),
    *("--access-logfile", "-", "--bind"),
)


def measure(setting: Setting, report: Report) -> None:
    """Compare the CPU of each with that of `authorize` on SQLite."""
    programs = _install(setting.folder / "peers")
    installation = setting.usual()
    with ExitStack() as servers:
        ours = servers.enter_context(serve(installation.environment))
        keys, _ = _fill(programs, setting, "fastapi")
        url, pid = servers.enter_context(_serve(programs, setting, "fastapi"))
        contenders = {
            SQLITE: Contender(
                key_questions(ours, installation, setting, path=AUTHORIZE), ours.pid, installation
            ),
            _FASTAPI: Contender(_questions(url, "/check", keys, setting), pid),
        }
        keys, tokens = _fill(programs, setting, "django")
        url, pid = servers.enter_context(_serve(programs, setting, "django"))
        contenders[_DRF] = Contender(_questions(url, "/check", keys, setting), pid)
        contenders[_KNOX] = Contender(_questions(url, "/token", tokens, setting), pid)
        report.notes += [*interleave(contenders, setting), f"peers {_NOT_RUN}"]
    report.figures += [
        Figure(
            f"{name}: CPU ÷ ours on SQLite",
            contenders[name].cpu / contenders[SQLITE].cpu,
            at_least=goal,
        )
        for name, goal in _GOALS.items()
    ]


def _install(folder: Path) -> Path:
    """Where the programs of the new environment are."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)  # noqa: S603
    programs = folder / "bin"
    pip: list[str | Path] = [programs / "python", "-m", "pip", "install", "-qq", "--no-deps"]
    subprocess.run([*pip, "-r", _APPS / "requirements.txt"], check=True)  # noqa: S603
    return programs


def _environment(setting: Setting, name: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        # gunicorn puts its control socket there.
        "HOME": str(setting.folder),
        "PEER_DATABASE": str(setting.folder / f"{name}.db"),
    }


def _fill(programs: Path, setting: Setting, name: str) -> tuple[list[str], list[str]]:
    """As many keys as ours has; the raw ones and, where there are any, raw tokens."""
    file = setting.folder / f"{name}.keys"
    subprocess.run(  # noqa: S603
        [programs / "python", f"{name}_app.py", str(setting.usual_keys), file],
        cwd=_APPS,
        env=_environment(setting, name),
        check=True,
    )
    tokens = file.with_name(f"{file.name}.knox")
    return file.read_text().split(), tokens.read_text().split() if tokens.exists() else []


@contextmanager
def _serve(programs: Path, setting: Setting, name: str) -> Iterator[tuple[str, int]]:
    """URL and first process of a peer that runs."""
    port = free_port()
    command = (*_UVICORN, str(port)) if name == "fastapi" else (*_GUNICORN, f"127.0.0.1:{port}")
    folder = setting.folder / f"running-{name}"
    folder.mkdir()
    process = ServerProcess(
        [programs / "python", "-m", *command],
        folder=folder,
        environment=_environment(setting, name),
        cwd=_APPS,
        last_signal=signal.SIGTERM,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _is_healthy(url) or process.exit_code() is not None)
        if process.exit_code() is not None:
            raise RuntimeError(f"{name} did not start:\n{process.log()}")
        yield url, process.pid
    finally:
        process.stop(signal.SIGTERM, 30)


def _is_healthy(url: str) -> bool:
    caller = Caller(url)
    try:
        return caller.ask("GET", "/healthz")[0] == 200
    except OSError:
        return False
    finally:
        caller.close()


def _questions(url: str, path: str, keys: list[str], setting: Setting) -> wrk.Questions:
    """As many different keys as are asked of ours, drawn from all of them."""
    drawn = keys[:: len(keys) // setting.asked_keys]
    file = setting.folder / f"peer-{path[1:]}-{url.rpartition(':')[2]}"
    return wrk.Questions(url, "GET", path, wrk.write_lines(file, ((key, "") for key in drawn)))
