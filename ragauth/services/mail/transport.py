"""Where a mail goes: to an SMTP server, or into a file if none is configured."""

import logging
import os
import smtplib
import ssl
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from ragauth.config import Settings
from ragauth.services.mail.messages import Mail

log = logging.getLogger("ragauth")

# The time limit for each answer of the server; a mail needs about eight answers.
_TIMEOUT_SECONDS = 10.0
_SUBMISSION_PORT = 587  # RFC 6409
_SUBMISSIONS_PORT = 465  # RFC 8314
_PERMANENT = 500


class MailTransport(Protocol):
    """Sends mails one after another."""

    def deliver(self, mail: Mail, name: str) -> int | None:
        """Send the mail; returns None, or the SMTP code of a permanent refusal.

        Raises OSError (all errors of smtplib are of that class) if a later try may succeed.
        """

    @property
    def is_away(self) -> bool:
        """Whether the next mail would fail like the last one, since the server cannot be used."""

    def close(self) -> None:
        """Send QUIT."""


def mail_transport(settings: Settings) -> MailTransport:
    if settings.mail_url is None:
        return MailFolder(settings.instance_dir / "outbox")
    return SmtpServer(settings.mail_url)


class SmtpServer:
    """One connection, opened for the first mail.

    Certificates are always checked. User and password never go over an unencrypted connection.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._is_tls = parts.scheme == "smtps"
        self._port = parts.port or (_SUBMISSIONS_PORT if self._is_tls else _SUBMISSION_PORT)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._connection: smtplib.SMTP | None = None

    @property
    def is_away(self) -> bool:
        return self._connection is None

    def deliver(self, mail: Mail, name: str) -> int | None:
        connection = self._connection = self._connection or self._connect()
        if mail.is_international and not connection.has_extn("smtputf8"):
            return _PERMANENT  # an address that this server cannot write to (RFC 6531)
        try:
            connection.sendmail(
                mail.sender,
                [mail.recipient],
                mail.content,
                ["SMTPUTF8", "BODY=8BITMIME"] if mail.is_international else [],
            )
        except smtplib.SMTPRecipientsRefused as error:
            ((code, _),) = error.recipients.values()
            if code >= _PERMANENT:
                return code
            raise
        except smtplib.SMTPDataError as error:
            if error.smtp_code >= _PERMANENT:
                return error.smtp_code
            raise
        except smtplib.SMTPSenderRefused:
            # The server refuses RAGAUTH_MAIL_FROM, so it would refuse the next mail too.
            self._hang_up()
            raise
        except OSError:
            self._hang_up()
            raise
        return None

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self._is_tls:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=_TIMEOUT_SECONDS, context=context
            )
        else:
            connection = smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.ehlo_or_helo_if_needed()
            if not self._is_tls and (self._user or connection.has_extn("starttls")):
                connection.starttls(context=context)
            if self._user:
                connection.login(self._user, self._password)
        except OSError:
            connection.close()
            raise
        return connection

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        if self._connection is not None:
            try:
                self._connection.quit()
            except OSError:
                # The server closed first. Every accepted mail had its answer before.
                self._hang_up()


class MailFolder:
    """Writes mails to files if no server is configured.

    Only the service's user may read them, because mails hold tokens.
    """

    is_away = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, mail: Mail, name: str) -> int | None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{name}.eml"
        unfinished = path.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(mail.content)
        unfinished.replace(path)
        log.info(
            "no mail server is set: a mail was written to a file",
            extra={"mail_file": f"outbox/{path.name}"},
        )
        return None

    def close(self) -> None:
        """Do nothing: no file stays open between two mails."""
