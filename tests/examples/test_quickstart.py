"""examples/quickstart.sh against a real service, and against one that is wrong."""

import os
import subprocess
from collections.abc import Iterator, Mapping

import pytest

from tests.examples.stack import EXAMPLES, migrate
from tests.servers.gunicorn import GunicornServer, start_gunicorn
from tests.servers.postgres import start_postgres
from tests.servers.processes import free_port


def run_quickstart(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", EXAMPLES / "quickstart.sh"],
        env={"PATH": os.environ.get("PATH", os.defpath), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GunicornServer]:
    environment = {
        "RAGAUTH_INSTANCE_DIR": str(tmp_path_factory.mktemp("instance")),
        "RAGAUTH_BCRYPT_COST": "10",
    }
    if request.param == "sqlite":
        yield from _serve(environment)
        return
    with start_postgres() as postgres:
        # The server may be another's (TEST_DATABASE_URL): leave nothing behind.
        name = f"ragauth_quickstart_{os.getpid()}"
        postgres.create_database(name)
        try:
            yield from _serve(
                {
                    **environment,
                    "RAGAUTH_DATABASE_URL": postgres.url(name),
                    "RAGAUTH_SECRET_KEY": "a secret of the quickstart's test only",
                    "RAGAUTH_REQUIRE_HTTPS": "false",
                }
            )
        finally:
            postgres.drop_database(name)


def _serve(environment: Mapping[str, str]) -> Iterator[GunicornServer]:
    migrate(environment)
    with start_gunicorn(environment) as server:
        yield server


def test_it_walks_through_to_the_end_again_and_again_and_prints_no_secret(
    service: GunicornServer,
) -> None:
    """S27"""
    for _ in range(2):
        walk = run_quickstart(RAGAUTH_URL=service.url)
        assert walk.returncode == 0, walk.stdout[-2000:] + walk.stderr
        assert walk.stdout.endswith("quickstart: all as expected\n")
        assert walk.stderr == ""
        words = walk.stdout.replace('"', " ").replace("'", " ").split()
        assert [w for w in words if w.startswith(("eyJ", "rag_live_")) and len(w) > 20] == []
        assert "correct horse" not in walk.stdout


def test_it_stops_at_the_first_surprise(service: GunicornServer) -> None:
    walk = run_quickstart(RAGAUTH_URL=f"{service.url}/elsewhere")
    assert walk.returncode == 1
    assert "quickstart stopped: POST /api/auth/signup answered 404, expected 201" in walk.stderr
    assert "Log in" not in walk.stdout


def test_it_says_when_nothing_answers() -> None:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    for where in ({"RAGAUTH_URL": url}, {"PORT": port}):
        walk = run_quickstart(**where)
        assert walk.returncode == 3
        assert f"quickstart stopped: {url} does not answer" in walk.stderr
