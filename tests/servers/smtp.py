"""A real SMTP server for the tests: aiosmtpd on a loopback port, well or badly behaved."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers.certificates import write_certificate
from tests.servers.processes import free_port

USER, PASSWORD = "the service", "p@ss:w/rd#1"


@dataclass(frozen=True)
class Delivery:
    """One mail as it came in."""

    recipients: list[str]
    content: bytes
    was_encrypted: bool
    was_authenticated: bool


@dataclass
class SmtpServer:
    """Takes mail and keeps it; answers as it is told to."""

    folder: Path
    is_tls_offered: bool = False
    is_tls_at_once: bool = False
    is_login_required: bool = False
    # What it says to a mail's recipient and after its content, for as long as it is set.
    answer_to_recipient: str = "250 OK"
    answer_to_content: str = "250 OK"
    seconds_to_think: float = 0.0
    deliveries: list[Delivery] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self.port = free_port()
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        """The authority that a client has to trust."""
        return self.folder / "certificate.pem"

    def start(self) -> None:
        """Start it, or start it again on its port."""
        options: dict[str, Any] = {}
        if self.is_tls_offered or self.is_tls_at_once:
            context = _tls_context(self.folder)
            if self.is_tls_at_once:
                options["ssl_context"] = context
            else:
                options["tls_context"] = context
        if self.is_login_required:
            options |= {"authenticator": _authenticate, "auth_required": True}
            options["auth_require_tls"] = self.is_tls_offered
        self._controller = Controller(self, "127.0.0.1", self.port, **options)
        self._controller.start()

    def stop(self) -> None:
        """Stop it; what it has taken stays readable."""
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: Any
    ) -> Any:
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_RCPT(  # noqa: N802
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if self.answer_to_recipient.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.answer_to_recipient

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        await asyncio.sleep(self.seconds_to_think)
        if self.answer_to_content.startswith("2"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.deliveries.append(
                Delivery(
                    recipients=[str(recipient) for recipient in envelope.rcpt_tos],
                    content=content,
                    was_encrypted=self.is_tls_at_once or session.ssl is not None,
                    was_authenticated=session.authenticated is True,
                )
            )
        return self.answer_to_content


def _authenticate(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and data == LoginPassword(
        USER.encode(), PASSWORD.encode()
    )
    return AuthResult(success=is_right, handled=False)


def _tls_context(folder: Path) -> ssl.SSLContext:
    certificate, key = write_certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


@contextmanager
def start_smtp(folder: Path, **options: Any) -> Iterator[SmtpServer]:
    """Yield a running SMTP server, and end it."""
    server = SmtpServer(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
