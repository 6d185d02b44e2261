"""Where a webhook's connection may lead: to public addresses alone, unless allowed (S50)."""

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpcore
import pytest

from ragauth.services.webhooks.connection import Attempt, Connection
from tests.cases import for_each
from tests.servers.webhook_receiver import WebhookReceiver, running_receiver

NOT_ALLOWED = Attempt(None, "address not allowed")
PUBLIC = "93.184.216.34"
_resolve: Callable[..., Any] = socket.getaddrinfo


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[WebhookReceiver]:
    names = ("rebinding.example", "several.example")
    with running_receiver(tls_folder=tmp_path, names=names) as running:
        yield running


def post(url: str, *, allows_private: bool = False) -> Attempt:
    connection = Connection(url, allows_private=allows_private)
    try:
        return connection.post(b"{}", {"webhook-id": "msg_x"})
    finally:
        connection.close()


class Names:
    """A DNS server's answers: each look-up of a name takes the next one."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int, *arguments: Any, **options: Any) -> Any:
        if host[0].isdigit() or ":" in host:
            return _resolve(host, port, *arguments, **options)
        self.asked += 1
        addresses = self.answers.pop(0)
        return [entry for each in addresses for entry in _resolve(each, port, type=1)]


@pytest.fixture
def connected_to(monkeypatch: pytest.MonkeyPatch, tls: WebhookReceiver) -> list[str]:
    """The addresses that were connected to; a public one leads to the receiver in a test."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.certificate))
    reached: list[str] = []
    connect = httpcore.SyncBackend.connect_tcp

    def connect_tcp(self: Any, host: str, port: int, *arguments: Any) -> Any:
        reached.append(host)
        return connect(self, "127.0.0.1", tls.port, *arguments)

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect_tcp)
    return reached


class TestRefuses:
    @for_each(
        "host",
        [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "localhost",
            "LOCALHOST",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "10.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "[fe80::1]",
            "[fd00::1]",
        ],
    )
    def test_each_spelling_of_an_address_that_is_not_public(
        self, receiver: WebhookReceiver, host: str
    ) -> None:
        """S50: where it was written in any way, at the connection."""
        assert post(f"https://{host}:{receiver.port}/") == NOT_ALLOWED
        assert post(f"http://{host}:{receiver.port}/") == NOT_ALLOWED
        assert receiver.connections == 0

    def test_an_answer_of_dns_that_changes_opens_nothing(
        self, monkeypatch: pytest.MonkeyPatch, connected_to: list[str]
    ) -> None:
        """S50: the address that was checked is the one that is connected to."""
        names = Names([PUBLIC], ["127.0.0.1"], ["127.0.0.1"])
        monkeypatch.setattr(socket, "getaddrinfo", names)
        assert post("https://rebinding.example/").status == 204
        assert (connected_to, names.asked) == ([PUBLIC], 1)
        assert post("https://rebinding.example/") == NOT_ALLOWED
        assert (connected_to, names.asked) == ([PUBLIC], 2)

    def test_of_several_addresses_only_public_ones_are_tried(
        self, monkeypatch: pytest.MonkeyPatch, connected_to: list[str]
    ) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", Names(["10.0.0.1", "::1", PUBLIC]))
        assert post("https://several.example/").status == 204
        assert connected_to == [PUBLIC]

    def test_an_address_that_never_answers_leaves_time_for_the_next_one(
        self, monkeypatch: pytest.MonkeyPatch, tls: WebhookReceiver, connected_to: list[str]
    ) -> None:
        connect = httpcore.SyncBackend.connect_tcp
        given: list[float] = []

        def connect_tcp(self: Any, host: str, port: int, timeout: float, *more: Any) -> Any:
            given.append(timeout)
            if host != PUBLIC:
                raise httpcore.ConnectTimeout
            return connect(self, host, port, timeout, *more)

        monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect_tcp)
        silent = ["2606:4700:4700::1111", "2606:4700:4700::1001", PUBLIC]
        monkeypatch.setattr(socket, "getaddrinfo", Names(silent))
        assert post("https://several.example/").status == 204
        assert connected_to == [PUBLIC]
        assert [round(seconds) for seconds in given] == [10, 15, 30]

    def test_a_proxy_of_the_environment_is_not_used(
        self, monkeypatch: pytest.MonkeyPatch, receiver: WebhookReceiver
    ) -> None:
        """S50: it would be told to connect where this service may not."""
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            for spelling in (name, name.lower()):
                monkeypatch.setenv(spelling, f"http://127.0.0.1:{receiver.port}")
        assert post("https://127.0.0.1:9/") == NOT_ALLOWED
        refused = post("http://127.0.0.1:9/", allows_private=True)
        assert refused == Attempt(None, "connection refused")
        assert receiver.connections == 0

    def test_a_name_that_there_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def find_nothing(*_arguments: object, **_options: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", find_nothing)
        assert post("https://nowhere.example/") == Attempt(None, "name not found")


class TestAllowed:
    def test_private_addresses_are_reached_with_and_without_tls(
        self, receiver: WebhookReceiver, tls: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tls.certificate))
        for url in (receiver.url, tls.url):
            assert post(url, allows_private=True) == Attempt(204, None)
        (received,) = receiver.received
        assert received.path == "/hooks"
        assert received.headers["Host"] == f"127.0.0.1:{receiver.port}"

    def test_without_tls_nothing_goes_to_a_public_address(
        self, monkeypatch: pytest.MonkeyPatch, connected_to: list[str]
    ) -> None:
        """Nor from an endpoint that was set while private networks were allowed."""
        monkeypatch.setattr(socket, "getaddrinfo", Names([PUBLIC], [PUBLIC]))
        for allows_private in (True, False):
            refused = post("http://public.example/", allows_private=allows_private)
            assert refused == NOT_ALLOWED
        assert connected_to == []


class TestCertificates:
    def test_the_authorities_are_read_once(
        self, tls: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Reading them takes longer than all the rest of an attempt."""
        read, reads = ssl.create_default_context, list[int]()
        monkeypatch.setattr(ssl, "create_default_context", lambda: reads.append(1) or read())
        monkeypatch.setenv("SSL_CERT_FILE", str(tls.certificate))
        for _ in range(3):
            assert post(tls.url, allows_private=True) == Attempt(204, None)
        assert len(reads) == 1

    def test_one_that_nobody_vouches_for(self, tls: WebhookReceiver) -> None:
        """S50: the message is not sent."""
        assert post(tls.url, allows_private=True) == Attempt(None, "certificate not valid")
        assert tls.received == []

    def test_one_of_another_host(
        self, tls: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tls.certificate))
        url = tls.url.replace("127.0.0.1", "localhost")
        assert post(url, allows_private=True) == Attempt(None, "certificate not valid")
        assert tls.received == []

    def test_a_receiver_without_tls(self, receiver: WebhookReceiver) -> None:
        url = receiver.url.replace("http://", "https://")
        assert post(url, allows_private=True) == Attempt(None, "no TLS")
