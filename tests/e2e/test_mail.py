"""S33: mail arrives by itself, and what a dead mail server holds up arrives later."""

import os
import signal
import time
from pathlib import Path
from unittest.mock import patch

from ragauth.config import read_settings
from tests.applications import running_app
from tests.clients import Client
from tests.e2e.service import PASSWORD, QUICK, install
from tests.factories.mails import read_mail
from tests.servers.processes import free_port
from tests.servers.smtp import SmtpServer, start_smtp
from tests.waiting import slowness, wait_until


def mails_to(server: SmtpServer, email: str) -> list[bytes]:
    return [delivery.content for delivery in server.deliveries if delivery.recipients == [email]]


def test_mail_arrives_by_itself_and_survives_a_dead_server_and_a_restart(
    tmp_path: Path,
) -> None:
    """S33 and S35: the account is made, the mail waits and is sent, once; no thread lingers."""
    installation = install(tmp_path, **QUICK)
    installation.migrate()
    with start_smtp(tmp_path) as smtp:
        with installation.serve(workers=2, RAGAUTH_MAIL_URL=smtp.url) as service:
            first = service.sign_up()
            wait_until(lambda: len(mails_to(smtp, first.email)) == 1)
            token = read_mail_code(mails_to(smtp, first.email)[0])
            assert service.client.post("/api/auth/email/verify", json={"token": token}).is_success
            assert first.data("GET", "/api/auth/me")["email_verified"]

            smtp.stop()
            second = service.sign_up()
            assert second.data("GET", "/api/auth/me")["email"] == second.email
            wait_until(lambda: "a mail could not be sent yet" in service.gunicorn.log())
            smtp.start()
            wait_until(lambda: len(mails_to(smtp, second.email)) == 1)

            smtp.stop()
            third = service.sign_up()
            started = time.monotonic()
            os.kill(service.gunicorn.pid, signal.SIGTERM)
            assert service.gunicorn.terminate() == 0
            assert time.monotonic() - started < 10 * slowness()
            log = service.gunicorn.log()
        smtp.start()
        # A process that has seen no mail of its own sends what another left behind.
        with installation.serve(workers=1, RAGAUTH_MAIL_URL=smtp.url):
            wait_until(lambda: len(mails_to(smtp, third.email)) == 1)
        for user in (first, second, third):
            assert len(mails_to(smtp, user.email)) == 1
        assert token not in log
        assert PASSWORD not in log
        assert "Traceback" not in log


def read_mail_code(content: bytes) -> str:
    """Without a dashboard the mail holds a code."""
    code: str = read_mail(content).text.split("\n\n")[1].strip()
    return code


def test_a_new_server_sends_what_waits_before_it_has_a_request(tmp_path: Path) -> None:
    """S33: the work beside requests begins with the worker, where the server tells of it."""
    installation = install(tmp_path, HOST="127.0.0.1", PORT=str(free_port()), WEB_CONCURRENCY="1")
    command = ("gunicorn", "-c", "python:ragauth.gunicorn_conf", "wsgi:app")
    installation.migrate()
    with patch.dict(os.environ, installation.environment, clear=True):
        settings = read_settings()
    with running_app(settings) as app:
        Client(app).sign_up()
    outbox = tmp_path / "instance" / "outbox"
    assert not outbox.exists()
    with installation.start_module(*command) as server:
        try:
            wait_until(lambda: any(outbox.glob("*.eml")))
        finally:
            server.send_signal(signal.SIGTERM)
