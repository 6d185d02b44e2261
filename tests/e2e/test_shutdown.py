"""S35: a service that is told to stop finishes what it has begun."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e.service import install

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_WORK_SECONDS = 0.1
_START_SECONDS = 20


def test_a_login_that_has_begun_is_answered_and_the_master_ends_well(tmp_path: Path) -> None:
    installation = install(tmp_path, RAGAUTH_BCRYPT_COST="14")
    installation.migrate()
    with installation.serve(workers=1) as service, ThreadPoolExecutor(1) as thread:
        (worker,) = service.gunicorn.worker_pids()
        before = _cpu_seconds(worker)
        # Nobody's address: it is hashed all the same, at the cost that is set.
        login = {"email": "nobody@example.com", "password": "a password of nobody"}
        pending = thread.submit(service.client.post, "/api/auth/login", json=login)
        _wait_until_it_hashes(worker, before)
        assert not pending.done()
        os.kill(service.gunicorn.pid, signal.SIGTERM)
        answer = pending.result(timeout=30)
        assert answer.status_code == 401
        assert answer.json()["error"]["message"] == "Invalid email or password"
        assert service.gunicorn.terminate() == 0
        assert _died(worker)


def _wait_until_it_hashes(worker: int, before: float) -> None:
    """A worker without requests uses no time; one that hashes, all it can get."""
    deadline = time.monotonic() + _START_SECONDS
    while _cpu_seconds(worker) - before < _WORK_SECONDS:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def _died(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()
