"""Ten threads of one account log in as fast as they can; others log in all the same."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from tests.e2e.service import PASSWORD, Service, install

_FLOODERS = 10


def log_in(service: Service, email: str, address: str) -> int:
    """The status of a login from one of the loopback's addresses."""
    host, _, port = service.address.partition(":")
    connection = HTTPConnection(host, int(port), timeout=60, source_address=(address, 0))
    body = json.dumps({"email": email, "password": PASSWORD})
    try:
        connection.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
        with connection.getresponse() as response:
            response.read()
            return response.status
    finally:
        connection.close()


@contextmanager
def flood(service: Service, email: str) -> Iterator[list[int]]:
    """The statuses of logins that never stop; the block begins when some were turned away."""
    is_over = threading.Event()
    is_full = threading.Event()
    statuses: list[int] = []

    def log_in_again() -> None:
        while not is_over.is_set():
            statuses.append(log_in(service, email, "127.0.0.1"))
            if statuses[-1] == 429:
                is_full.set()

    threads = [threading.Thread(target=log_in_again) for _ in range(_FLOODERS)]
    for thread in threads:
        thread.start()
    try:
        assert is_full.wait(30)
        yield statuses
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def test_right_logins_of_one_account_keep_nobody_out(tmp_path: Path) -> None:
    """S43: neither at another address nor, with another account, at the same one."""
    installation = install(tmp_path)
    installation.migrate()
    with installation.serve() as service:
        greedy, modest = service.sign_up().email, service.sign_up().email
        with flood(service, greedy) as statuses:
            for address in ("127.0.1.1", "127.0.0.1"):
                assert log_in(service, modest, address) == 200, address
        assert set(statuses) == {200, 429}
