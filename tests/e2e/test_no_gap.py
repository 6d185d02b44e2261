"""A new version takes over without a refused connection or a lost request."""

import os
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.deployment import NEW_SECONDS, OLD_SECONDS, Deployment, questions, token_seconds
from tests.e2e.restart_load import Load, load, wait_for
from tests.e2e.service import Service
from tests.e2e.test_process_beside import beside, saved
from tests.servers.frozen import frozen
from tests.servers.gunicorn import GunicornServer
from tests.servers.processes import ServerProcess, children_of

# The service has room for what follows.
_PAUSE_SECONDS = 0.05


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


def logins(done: Load) -> int:
    return done.answers["/api/auth/login 200"]


def insist_on_no_failure(done: Load) -> None:
    assert done.failures == []
    # Who had a connection kept was told that it ends, and lost nothing.
    assert done.closes >= 1


def place_of(service: Service) -> tuple[str, int]:
    host, _, port = service.address.partition(":")
    return host, int(port)


def test_sighup_brings_new_code_and_settings_and_loses_no_request(
    deployment: Deployment,
) -> None:
    """S35: besides, SIGTERM ends the service while the successor tries a further version."""
    with deployment.serve() as service:
        user = service.sign_up()
        assert token_seconds(user) == OLD_SECONDS
        before = set(service.gunicorn.worker_pids())
        first = beside(service)
        asked = questions(service, user)
        with load(place_of(service), asked, kept=2, new=1, pause_seconds=0.02) as done:
            wait_for(lambda: done.count > 60)
            logins_before = logins(done)
            deployment.renew()
            os.kill(service.gunicorn.pid, signal.SIGHUP)
            wait_for(lambda: deployment.is_new(service))
            # The same process serves; of its old workers none is left.
            wait_for(lambda: not before & set(service.gunicorn.worker_pids()))
            wait_for(lambda: not Path(f"/proc/{first}").exists())
            wait_for(lambda: beside(service) != first)
            at_that_time = done.count
            wait_for(lambda: done.count > at_that_time + 60)
            wait_for(lambda: logins(done) > logins_before)
        insist_on_no_failure(done)
        assert token_seconds(user) == NEW_SECONDS
        assert len(service.gunicorn.worker_pids()) == 2
        os.kill(service.gunicorn.pid, signal.SIGHUP)
        wait_for(lambda: any(map(_is_tried, children_of(service.gunicorn.pid))))
        assert service.gunicorn.terminate() == 0
    counted = done.answers["/api/v1/authorize 200"] + done.answers["/api/v1/keys/verify 200"]
    assert saved(deployment.installation) == counted


def test_a_version_that_does_not_load_is_not_taken(deployment: Deployment) -> None:
    """Neither broken code, a broken setting nor one without `ragauth/server` ends what serves."""
    with deployment.serve() as service:
        workers = service.gunicorn.worker_pids()
        log = service.gunicorn.log
        wsgi = deployment.folder / "wsgi.py"
        good = wsgi.read_text()
        wsgi.write_text("this is no Python\n")
        os.kill(service.gunicorn.pid, signal.SIGHUP)
        wait_for(lambda: log().count("does not load; this one goes on") == 1)
        assert "SyntaxError" in log()
        wsgi.write_text(good)
        deployment.settings.write_text("RAGAUTH_EVENT_DAYS=never\n")
        os.kill(service.gunicorn.pid, signal.SIGHUP)
        wait_for(lambda: log().count("does not load; this one goes on") == 2)
        assert "RAGAUTH_EVENT_DAYS: must be a whole number" in log()
        deployment.settings.write_text("")
        (deployment.folder / "ragauth" / "server").unlink()
        os.kill(service.gunicorn.pid, signal.SIGHUP)
        wait_for(lambda: log().count("does not load; this one goes on") == 3)
        assert "ragauth/server is not there, which would take over" in log()
        assert service.gunicorn.worker_pids() == workers
        assert service.client.get("/readyz").status_code == 200


def test_sigterm_that_comes_together_with_sighup_ends_the_service(deployment: Deployment) -> None:
    """S35: the new version would not know of it."""
    with deployment.serve() as service:
        master = service.gunicorn.pid
        with frozen(master):
            os.kill(master, signal.SIGHUP)
            os.kill(master, signal.SIGTERM)
        wait_for(lambda: not Path(f"/proc/{master}").exists())
        assert service.gunicorn.terminate() == 0


def test_sigusr2_runs_both_side_by_side_until_the_old_one_is_told_to_end(
    deployment: Deployment,
) -> None:
    with deployment.serve() as service, ExitStack() as stack:
        user = service.sign_up()
        old = service.gunicorn
        asked = questions(service, user)
        with load(place_of(service), asked, pause_seconds=_PAUSE_SECONDS) as done:
            wait_for(lambda: done.count > 60)
            logins_before = logins(done)
            deployment.renew()
            before = set(old.worker_pids())
            os.kill(old.pid, signal.SIGUSR2)
            wait_for(lambda: len(set(old.worker_pids()) - before) == 1)
            (successor,) = set(old.worker_pids()) - before
            stack.callback(_end, successor)
            wait_for(lambda: len(children_of(successor)) >= 2)
            assert old.terminate() == 0
            at_that_time = done.count
            wait_for(lambda: done.count > at_that_time + 60)
            wait_for(lambda: logins(done) > logins_before)
        insist_on_no_failure(done)
        assert deployment.is_new(service)
        assert token_seconds(user) == NEW_SECONDS


def test_a_socket_of_systemds_outlives_a_restart(deployment: Deployment, tmp_path: Path) -> None:
    """As systemd does it: the socket is in another's hands, and stays open meanwhile.

    A reload with such a socket is tested as the units do it: `examples/test_systemd.py`.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=500) as listener, ExitStack() as stack:
        place = listener.getsockname()

        def start(name: str) -> tuple[ServerProcess, Service]:
            folder = tmp_path / name
            folder.mkdir()
            process = ServerProcess(
                [
                    *(sys.executable, "-m"),
                    *("gunicorn", "-c", "python:ragauth.gunicorn_conf", "wsgi:app"),
                ],
                folder=folder,
                environment={
                    "PATH": os.defpath,
                    "WEB_CONCURRENCY": "2",
                    **deployment.installation.environment,
                },
                cwd=deployment.folder,
                last_signal=signal.SIGTERM,
                sockets=(listener.fileno(),),
                is_linked=True,
            )
            stack.callback(process.stop, signal.SIGTERM, 40)
            gunicorn = GunicornServer(process, place[1])
            gunicorn.wait_until_ready(2)
            return process, stack.enter_context(deployment.installation.client_of(gunicorn))

        first, service = start("first")
        user = service.sign_up()
        asked = questions(service, user)
        with load(place, asked, pause_seconds=_PAUSE_SECONDS) as done:
            wait_for(lambda: done.count > 60)
            logins_before = logins(done)
            assert first.stop(signal.SIGTERM, 40) == 0
            start("second")
            at_that_time = done.count
            wait_for(lambda: done.count > at_that_time + 60)
            wait_for(lambda: logins(done) > logins_before)
        insist_on_no_failure(done)


def _is_tried(pid: int) -> bool:
    """Whether it finds out if a new version loads."""
    try:
        return b"--check-config" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _end(pid: int) -> None:
    """End a master that is no child of this process, and wait for it."""
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
