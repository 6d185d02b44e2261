"""What keeps the server from listening is told in one line."""

import errno
import socket
from pathlib import Path
from unittest.mock import Mock

import pytest

from ragauth.web.listening import Address, fault_in_listening
from tests.cases import for_each
from tests.servers.processes import has_ipv6


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_that_is_taken_is_told(host: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no ::1")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        port = taken.getsockname()[1]
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        assert fault_in_listening([(host, port)]) == (
            f"{shown} cannot be served: taken by another program, or by a ragauth that runs"
            " already; PORT chooses another"
        )
    assert fault_in_listening([(host, port)]) is None


@for_each(
    ("address", "words"),
    [
        (("192.0.2.1", 8000), "192.0.2.1:8000 cannot be served: this machine has no such address"),
        (("2001:db8::1", 8000), "[2001:db8::1]:8000 cannot be served: this machine has no such"),
        ("/no/such/folder/x", "unix:/no/such/folder/x cannot be served: there is no folder /no"),
        ("/dev/null", "unix:/dev/null cannot be served: there is a file that is no socket"),
        (f"/tmp/{'x' * 108}", "the path is longer than 107 bytes"),
    ],
)
def test_an_address_that_cannot_be_served_is_told(address: Address, words: str) -> None:
    fault = fault_in_listening([("127.0.0.1", 0), address])
    assert fault is not None
    assert words in fault
    assert "\n" not in fault


def test_permission_that_is_missing_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.access", lambda *_arguments: False)
    fault = fault_in_listening([str(tmp_path / "x")])
    assert fault == f"unix:{tmp_path}/x cannot be served: permission denied in {tmp_path}"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, ""), "permission denied; ports below 1024 are root's"),
        (socket.gaierror(socket.EAI_NONAME, ""), "the name is not known; HOST chooses another"),
        (OSError(errno.EAFNOSUPPORT, "No such family"), "No such family"),
    ],
)
def test_what_the_system_says_is_told(
    monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    monkeypatch.setattr("socket.socket.bind", Mock(side_effect=error))
    assert fault_in_listening([("a.test", 80)]) == f"a.test:80 cannot be served: {words}"


def test_a_socket_is_free_unless_somebody_listens_on_it(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    assert fault_in_listening([path]) is None
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        fault = fault_in_listening([path])
        assert fault is not None
        assert fault.startswith(f"unix:{path} cannot be served: taken by")
    assert fault_in_listening([path]) is None


def test_an_inherited_socket_needs_no_address() -> None:
    assert fault_in_listening([3]) is None
