"""The servers that the other tests rely on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
import redis

from tests.servers.gunicorn import PROJECT_ROOT, start_gunicorn
from tests.servers.postgres import PostgresServer, start_postgres
from tests.servers.redis import start_redis

own_postgres = pytest.mark.skipif(
    "TEST_DATABASE_URL" in os.environ, reason="another's server is not ours to stop"
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with start_postgres() as server:
        yield server


class TestPostgres:
    def test_a_database_is_a_copy_of_its_template_until_it_is_dropped(
        self, postgres: PostgresServer
    ) -> None:
        postgres.create_database("harness one")
        with psycopg.connect(postgres.url("harness one")) as connection:
            connection.execute("CREATE TABLE notes AS SELECT 'kept' AS text")
        postgres.create_database("harness two", template="harness one")
        postgres.drop_database("harness one")
        with psycopg.connect(postgres.url("harness two")) as connection:
            assert connection.execute("SELECT text FROM notes").fetchone() == ("kept",)
            postgres.drop_database("harness two")
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")

    @own_postgres
    def test_it_comes_back_at_the_same_address_with_its_data(
        self, postgres: PostgresServer
    ) -> None:
        postgres.create_database("returning")
        postgres.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(postgres.url("returning"))
        postgres.start()
        psycopg.connect(postgres.url("returning")).close()
        postgres.drop_database("returning")

    @own_postgres
    def test_it_does_not_outlive_a_killed_test_run(self) -> None:
        script = (
            "import time\n"
            "from tests.servers.postgres import start_postgres\n"
            "with start_postgres() as server:\n"
            "    print(server.url('postgres'), flush=True)\n"
            "    time.sleep(60)\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
        ) as run:
            assert run.stdout is not None
            url = run.stdout.readline().strip()
            psycopg.connect(url).close()
            run.kill()
        assert _becomes_unreachable(url)


def _becomes_unreachable(url: str) -> bool:
    for _ in range(100):
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return True
        time.sleep(0.05)
    return False


_IN_THE_BACKGROUND = """
import os, signal, subprocess
from tests.servers.processes import keep_ignored_signals_to_oneself

for number in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, signal.SIG_IGN)
keep_ignored_signals_to_oneself()
for number in (signal.SIGINT, signal.SIGQUIT):
    os.kill(os.getpid(), number)
    with subprocess.Popen(["/bin/sleep", "60"]) as server:
        server.send_signal(number)
    print(-server.returncode, flush=True)
"""


def test_a_run_in_the_background_ignores_ctrl_c_and_its_servers_do_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IN_THE_BACKGROUND],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.split() == [str(int(signal.SIGINT)), str(int(signal.SIGQUIT))]


class TestRedis:
    def test_it_comes_back_at_the_same_address_with_its_data(self) -> None:
        with start_redis() as server, redis.Redis.from_url(server.url) as client:
            client.set("greeting", "hello")
            server.stop()
            with pytest.raises(redis.ConnectionError):
                client.get("greeting")
            server.start()
            assert client.get("greeting") == b"hello"


class TestGunicorn:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "tiny.py").write_text(
            "import os, sys\n"
            "def app(environ, start_response):\n"
            "    print('asked for', environ['PATH_INFO'], file=sys.stderr, flush=True)\n"
            "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
            "    return [' '.join(sorted(os.environ)).encode()]\n"
        )
        return tmp_path

    def test_it_serves_with_the_given_environment_and_workers(self, folder: Path) -> None:
        with start_gunicorn({"SAMPLE": "1"}, app="tiny:app", config=None, cwd=folder) as server:
            names = set(httpx.get(f"{server.url}/names").text.split())
            assert "SAMPLE" in names
            assert "HOME" not in names
            assert "asked for /names" in server.log()
            workers = server.worker_pids()
            assert len(workers) == 2
            assert server.terminate() == 0
            assert server.worker_pids() == []

    def test_a_worker_that_dies_is_replaced(self, folder: Path) -> None:
        with start_gunicorn({}, app="tiny:app", config=None, cwd=folder, workers=1) as server:
            first = server.worker_pids()
            os.kill(first[0], signal.SIGKILL)
            for _ in range(200):
                if (now := server.worker_pids()) and now != first:
                    return
                time.sleep(0.05)
            pytest.fail(f"no new worker:\n{server.log()}")

    def test_a_failed_start_shows_the_log(self, tmp_path: Path) -> None:
        with (
            pytest.raises(RuntimeError, match="No module named 'absent'"),
            start_gunicorn({}, app="absent:app", config=None, cwd=tmp_path),
        ):
            pass
