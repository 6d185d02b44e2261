"""The outbox against a real mail server: nothing is lost, nothing is sent twice, no secret told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from urllib.parse import quote

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from ragauth import clock, transaction
from ragauth.extensions import db
from ragauth.models import OutboxRow
from ragauth.services.accounts.password_reset import answer_request
from ragauth.services.mail import transport
from ragauth.services.mail.queue import Letter, MailTemplate, add_letter
from ragauth.services.mail.sending import send_due_mail
from ragauth.services.outbox.rounds import Round
from tests.clients import Client, ok
from tests.factories.mails import Mail, outbox_folder, read_mail
from tests.runtime import runtime_of
from tests.servers.smtp import PASSWORD, USER, SmtpServer, start_smtp

MakeApp = Callable[..., Flask]


def send(app: Flask) -> Round:
    with app.app_context():
        return send_due_mail(answer_reset=answer_request)


def waiting(app: Flask) -> int:
    with app.app_context(), db.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(OutboxRow)) or 0


def arrived(server: SmtpServer) -> list[Mail]:
    return [read_mail(delivery.content) for delivery in server.deliveries]


def later(seconds: float) -> time_machine.travel:
    return time_machine.travel(clock.now() + timedelta(seconds=seconds), tick=True)


class TestSends:
    @pytest.mark.both_databases
    def test_what_is_due_arrives_over_one_connection_and_is_gone(
        self, mailing: Flask, smtp: SmtpServer
    ) -> None:
        members = [Client(mailing).sign_up() for _ in range(3)]
        assert send(mailing) == Round(sent=3)
        assert [delivery.recipients for delivery in smtp.deliveries] == [
            [member.email] for member in members
        ]
        assert [mail.to for mail in arrived(smtp)] == [member.email for member in members]
        assert (smtp.connections, waiting(mailing)) == (1, 0)
        assert send(mailing) == Round()
        token = arrived(smtp)[0].token
        ok(Client(mailing).post("/api/auth/email/verify", {"token": token}), 204)

    @pytest.mark.both_databases
    def test_of_many_senders_at_once_one_sends_a_mail(
        self, mailing: Flask, smtp: SmtpServer
    ) -> None:
        for _ in range(6):
            Client(mailing).sign_up()
        barrier = Barrier(4)

        def send_too(_number: int) -> int:
            barrier.wait()
            return send(mailing).sent

        with ThreadPoolExecutor(4) as threads:
            assert sum(threads.map(send_too, range(4))) == 6
        assert len(smtp.deliveries) == len({mail.to for mail in arrived(smtp)}) == 6

    def test_an_address_in_another_script_arrives(self, mailing: Flask, smtp: SmtpServer) -> None:
        """RFC 6531 for what stands before the @, RFC 5891 for what stands behind it."""
        Client(mailing).sign_up(email="jürgen@bücher.example")
        assert send(mailing) == Round(sent=1)
        assert smtp.deliveries[0].recipients == ["jürgen@xn--bcher-kva.example"]

    def test_the_log_tells_no_token_and_no_address(
        self, mailing: Flask, smtp: SmtpServer, log: Callable[[], str]
    ) -> None:
        """S8 and S27, whether it is sent, postponed or given up."""
        member = Client(mailing).sign_up()
        smtp.answer_to_content = f"451 not now, {member.email}"
        send(mailing)
        smtp.answer_to_content = "250 OK"
        with later(10):
            send(mailing)
        smtp.answer_to_recipient = f"550 nobody here is called {member.email}"
        ok(member.client.post("/api/auth/email/resend"), 202)
        send(mailing)
        (mail,) = arrived(smtp)
        assert "a mail could not be sent yet" in log()
        assert "a mail was given up" in log()
        assert mail.token not in log()
        assert member.email not in log()


# What the server would rather not do is what a client must be safe from.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
class TestEncrypts:
    @pytest.fixture
    def trust(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[SmtpServer], None]:
        return lambda server: monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))

    @pytest.mark.parametrize("scheme", ["smtp", "smtps"])
    def test_user_and_password_are_told_over_tls_alone(
        self,
        make_app: MakeApp,
        tmp_path: Path,
        trust: Callable[[SmtpServer], None],
        scheme: str,
    ) -> None:
        options = {"is_tls_at_once": True} if scheme == "smtps" else {"is_tls_offered": True}
        login = f"{quote(USER)}:{quote(PASSWORD, safe='')}"
        with start_smtp(tmp_path, is_login_required=True, **options) as server:
            app = make_app(mail_url=f"{scheme}://{login}@127.0.0.1:{server.port}")
            trust(server)
            Client(app).sign_up()
            assert send(app) == Round(sent=1)
        (delivery,) = server.deliveries
        assert (delivery.was_encrypted, delivery.was_authenticated) == (True, True)

    def test_a_server_without_tls_never_hears_the_password(
        self, make_app: MakeApp, tmp_path: Path
    ) -> None:
        with start_smtp(tmp_path, is_login_required=True) as server:
            app = make_app(mail_url=f"smtp://user:word@127.0.0.1:{server.port}")
            Client(app).sign_up()
            assert send(app) == Round(postponed=1)
        assert (server.deliveries, waiting(app)) == ([], 1)

    def test_tls_is_used_wherever_it_is_offered(
        self, make_app: MakeApp, tmp_path: Path, trust: Callable[[SmtpServer], None]
    ) -> None:
        with start_smtp(tmp_path, is_tls_offered=True) as server:
            app = make_app(mail_url=server.url)
            trust(server)
            Client(app).sign_up()
            assert send(app) == Round(sent=1)
        assert server.deliveries[0].was_encrypted

    @pytest.mark.parametrize("scheme", ["smtp", "smtps"])
    def test_a_certificate_that_nobody_vouches_for_gets_no_mail(
        self, make_app: MakeApp, tmp_path: Path, scheme: str
    ) -> None:
        is_at_once = scheme == "smtps"
        with start_smtp(
            tmp_path, is_tls_offered=not is_at_once, is_tls_at_once=is_at_once
        ) as server:
            app = make_app(mail_url=f"{scheme}://127.0.0.1:{server.port}")
            Client(app).sign_up()
            assert send(app) == Round(postponed=1)
        assert (server.deliveries, waiting(app)) == ([], 1)

    def test_a_wrong_password_keeps_the_mail(
        self, make_app: MakeApp, tmp_path: Path, trust: Callable[[SmtpServer], None]
    ) -> None:
        with start_smtp(tmp_path, is_login_required=True, is_tls_offered=True) as server:
            app = make_app(mail_url=f"smtp://user:wrong@127.0.0.1:{server.port}")
            trust(server)
            Client(app).sign_up()
            assert send(app) == Round(postponed=1)
        assert waiting(app) == 1


class TestTriesAgain:
    @pytest.mark.both_databases
    def test_a_dead_server_loses_nothing(self, mailing: Flask, smtp: SmtpServer) -> None:
        """S33: the account is made, the mail waits and is sent later."""
        smtp.stop()
        members = [Client(mailing).sign_up() for _ in range(3)]
        # One try tells that the server is away.
        assert send(mailing) == Round(postponed=1)
        smtp.start()
        assert send(mailing) == Round(sent=2)
        with later(3):
            assert send(mailing) == Round(sent=1)
        assert {mail.to for mail in arrived(smtp)} == {member.email for member in members}

    def test_it_waits_longer_each_time_but_never_for_long(
        self, mailing: Flask, smtp: SmtpServer
    ) -> None:
        smtp.answer_to_recipient = "450 a mailbox is busy"
        Client(mailing).sign_up()
        passed = 0.0
        for wait in (2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
            with later(passed):
                before = clock.now()
                assert send(mailing).postponed == 1
                after = clock.now()
                with mailing.app_context(), db.engine.connect() as connection:
                    due = connection.scalar(select(OutboxRow.next_attempt_at))
                assert due is not None
                # However long it took to send.
                assert before <= due - timedelta(seconds=wait) <= after
                passed += wait + (after - before).total_seconds() + 1

    def test_a_mail_that_is_put_off_holds_no_other_up(
        self, mailing: Flask, smtp: SmtpServer
    ) -> None:
        smtp.answer_to_content = "452 too much at once"
        for _ in range(2):
            Client(mailing).sign_up()
        assert send(mailing) == Round(postponed=2)
        smtp.answer_to_content = "250 OK"
        with later(3):
            assert send(mailing) == Round(sent=2)

    def test_a_server_that_thinks_too_long_is_left(
        self, mailing: Flask, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transport, "_TIMEOUT_SECONDS", 0.2)
        smtp.seconds_to_think = 1.0
        Client(mailing).sign_up()
        assert send(mailing) == Round(postponed=1)
        assert waiting(mailing) == 1

    @pytest.mark.both_databases
    def test_a_mail_whose_sender_died_is_taken_by_another(
        self, mailing: Flask, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S34: nothing committed is lost."""

        def die(*_arguments: object) -> None:
            raise KeyboardInterrupt

        Client(mailing).sign_up()
        with monkeypatch.context() as dying:
            dying.setattr(transport.SmtpServer, "deliver", die)
            with pytest.raises(KeyboardInterrupt):
                send(mailing)
        assert send(mailing) == Round()
        with later(121):
            assert send(mailing) == Round(sent=1)


class TestGivesUp:
    @pytest.mark.parametrize("answer", ["550 no such mailbox", "553 not allowed"])
    def test_a_refusal_for_good_is_logged_and_in_the_history(
        self, mailing: Flask, smtp: SmtpServer, log: Callable[[], str], answer: str
    ) -> None:
        smtp.answer_to_recipient = answer
        member = Client(mailing).sign_up()
        assert send(mailing) == Round(given_up=1)
        assert waiting(mailing) == 0
        assert f"refused with {answer[:3]}" in log()
        event = ok(member.client.get("/api/auth/events"))[0]
        assert event["name"] == "account:mail_given_up"
        assert event["details"] == {"mail": "verify_email", "cause": f"refused with {answer[:3]}"}

    def test_a_refused_content_is_given_up_too_and_the_next_mail_is_sent(
        self, mailing: Flask, smtp: SmtpServer
    ) -> None:
        smtp.answer_to_content = "554 this is spam"
        Client(mailing).sign_up()
        assert send(mailing) == Round(given_up=1)
        smtp.answer_to_content = "250 OK"
        Client(mailing).sign_up()
        assert send(mailing) == Round(sent=1)

    def test_an_address_that_no_header_can_hold_holds_no_other_mail_up(
        self, mailing: Flask, smtp: SmtpServer
    ) -> None:
        with mailing.app_context(), transaction.unit_of_work():
            letter = Letter("ada@example.com\r\nBcc: eve@example.com", {"token": "x"})
            add_letter(MailTemplate.VERIFY_EMAIL, None, letter, timedelta(hours=1))
        member = Client(mailing).sign_up()
        assert send(mailing) == Round(sent=1, given_up=1)
        assert [mail.to for mail in arrived(smtp)] == [member.email]

    def test_a_mail_goes_with_its_token(self, mailing: Flask, smtp: SmtpServer) -> None:
        """It would be of no use to anyone."""
        Client(mailing).sign_up()
        with later(24 * 3600 + 1):
            assert send(mailing) == Round(given_up=1)
        assert (smtp.deliveries, waiting(mailing)) == ([], 0)


class TestSeals:
    def test_what_waits_says_nothing_without_the_secret(self, client: Client) -> None:
        member = client.sign_up()
        with client.app.app_context(), db.engine.connect() as connection:
            (sealed,) = connection.scalars(select(OutboxRow.sealed))
        assert member.email.encode() not in sealed

    def test_a_new_secret_still_sends_what_the_old_one_sealed(
        self, client: Client, make_app: MakeApp, smtp: SmtpServer
    ) -> None:
        """S4: secrets rotate."""
        member = client.sign_up()
        old = runtime_of(client.app).settings.secret_key
        without = make_app(mail_url=smtp.url, secret_key=b"n" * 32)
        assert send(without) == Round(postponed=1)
        rotated = make_app(mail_url=smtp.url, secret_key=b"n" * 32, old_secret_keys=(old,))
        with later(3):
            assert send(rotated) == Round(sent=1)
        assert arrived(smtp)[0].to == member.email


class TestWithoutAServer:
    def test_mail_is_written_to_files_for_their_owner_alone(
        self, make_app: MakeApp, log: Callable[[], str]
    ) -> None:
        app = make_app()
        member = Client(app).sign_up()
        assert send(app) == Round(sent=1)
        folder = outbox_folder(app)
        (path,) = folder.iterdir()
        assert path.suffix == ".eml"
        assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
        mail = read_mail(path.read_bytes())
        assert mail.to == member.email
        # Whoever copies the link out of the file gets it whole.
        assert f"#token={mail.token}" in path.read_text()
        assert path.name in log()
        assert mail.token not in log()
        assert member.email not in log()

    def test_a_folder_that_cannot_be_written_keeps_the_mail(self, make_app: MakeApp) -> None:
        app = make_app()
        outbox_folder(app).write_text("a file where the folder should be")
        Client(app).sign_up()
        assert send(app) == Round(postponed=1)
        assert waiting(app) == 1
