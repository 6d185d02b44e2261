"""Second factors: enrolled with an authenticator app, asked for after the password.

Each read or change of a factor holds the lock of the account's row, so that a login, an enrolment
and a removal happen one after another.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import NamedTuple

from ragauth import clock, transaction
from ragauth.errors import NotFound, SecondFactorExists
from ragauth.extensions import db, settings
from ragauth.models import Account, SecondFactor
from ragauth.models import second_factors as factor_rows
from ragauth.security import totp
from ragauth.services import audit
from ragauth.services.account_lock import hold_account
from ragauth.services.accounts import confirmations
from ragauth.services.accounts.confirmations import Purpose
from ragauth.services.accounts.hashing import StoredPassword
from ragauth.services.accounts.passwords import confirm_password
from ragauth.services.accounts.second_factor_codes import (
    CheckedCode,
    check_code,
    replace_recovery_codes,
    seal_secret,
    spend_code,
)
from ragauth.services.audit import OPERATOR, Client, EventName
from ragauth.services.mail import queue
from ragauth.services.mail.queue import MailTemplate

# An enrolment that is not confirmed within this time expires.
PENDING_LIFETIME = timedelta(hours=1)
CHALLENGE_LIFETIME = timedelta(minutes=5)
CHALLENGE = frozenset({Purpose.SECOND_FACTOR})


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs, in three forms; shown once."""

    secret: str
    provisioning_uri: str
    qr_svg: str


@dataclass(frozen=True, slots=True)
class RecoveryCodes:
    """Shown once."""

    recovery_codes: list[str]


@dataclass(frozen=True, slots=True)
class SecondFactorStatus:
    """`created_at` is the time of enrolment; a factor is enabled once it is confirmed."""

    enabled: bool
    created_at: datetime | None
    confirmed_at: datetime | None
    recovery_codes_left: int


@dataclass(frozen=True, slots=True)
class SecondFactorRequired:
    """The password was right; this token and a code complete the login."""

    mfa_token: str
    expires_in: int


def enrol(*, account_id: uuid.UUID, email: str, password: str, client: Client) -> Enrolment:
    """Make a new secret, which counts once it is confirmed; it replaces an unconfirmed one.

    Raises WrongPassword, SecondFactorExists.
    """
    confirmed = confirm_password(account_id=account_id, password=password, client=client)
    secret = totp.new_secret()
    uri = totp.provisioning_uri(secret, account_name=email, issuer=_issuer())
    enrolment = Enrolment(secret, uri, totp.qr_svg(uri))
    with transaction.unit_of_work():
        hold_account(account_id, password_hash=confirmed.hash)
        if find_confirmed(account_id) is not None:
            raise SecondFactorExists
        factor_rows.delete_for_account(account_id)
        db.session.add(
            SecondFactor(
                account_id=account_id,
                sealed_secret=seal_secret(secret, account_id),
                created_at=clock.now(),
            )
        )
    return enrolment


def confirm(*, account_id: uuid.UUID, code: str, client: Client) -> RecoveryCodes:
    """Enable the factor with a first code; from the next login on a code is asked for.

    Raises InvalidCode, NotFound without a pending enrolment, SecondFactorExists.
    """
    with transaction.read_only():
        pending = _get_pending(account_id)
    checked = check_code(pending, code=code, client=client)
    with transaction.unit_of_work():
        account = hold_account(account_id)
        factor = _get_pending(account_id)
        spend_code(checked, account=account, client=client)
        factor.confirmed_at = clock.now()
        audit.record(EventName.SECOND_FACTOR_ADDED, account_id=account_id, client=client)
        queue.queue_notice(
            template=MailTemplate.SECOND_FACTOR_ADDED, account=account, client=client
        )
        return RecoveryCodes(replace_recovery_codes(pending))


def show(*, account_id: uuid.UUID) -> SecondFactorStatus:
    with transaction.read_only():
        return find_status(account_id) or SecondFactorStatus(
            enabled=False, created_at=None, confirmed_at=None, recovery_codes_left=0
        )


def find_status(account_id: uuid.UUID) -> SecondFactorStatus | None:
    """The factor's status, None without any, confirmed or not; in the present transaction."""
    factor = factor_rows.find_factor(account_id)
    if factor is None:
        return None
    return SecondFactorStatus(
        enabled=factor.confirmed_at is not None,
        created_at=factor.created_at,
        confirmed_at=factor.confirmed_at,
        recovery_codes_left=factor_rows.count_recovery_codes(account_id),
    )


def renew_recovery_codes(
    *, account_id: uuid.UUID, password: str, code: str, client: Client
) -> RecoveryCodes:
    """Make ten new recovery codes; the old ones no longer work.

    Raises WrongPassword, InvalidCode, NotFound.
    """
    checked = _check_both(account_id, password, code, client)
    with transaction.unit_of_work():
        _spend(checked, client)
        audit.record(EventName.RECOVERY_CODES_RENEWED, account_id=account_id, client=client)
        return RecoveryCodes(replace_recovery_codes(checked.code.factor))


def remove(*, account_id: uuid.UUID, password: str, code: str, client: Client) -> None:
    """Remove the factor: a login needs the password alone. WrongPassword, InvalidCode, NotFound."""
    checked = _check_both(account_id, password, code, client)
    with transaction.unit_of_work():
        _remove(_spend(checked, client), client)


def remove_for_operator(*, account_id: uuid.UUID) -> Account:
    """Remove the factor of a customer who lost device and recovery codes; raises NotFound."""
    with transaction.unit_of_work():
        account = hold_account(account_id)
        if find_confirmed(account_id) is None:
            raise NotFound(f"{account.email or 'The account'} has no second factor")
        _remove(account, OPERATOR)
    return account


def find_confirmed(account_id: uuid.UUID) -> SecondFactor | None:
    """The factor that a login asks for, read in the present transaction."""
    factor = factor_rows.find_factor(account_id)
    return None if factor is None or factor.confirmed_at is None else factor


def challenge(*, account_id: uuid.UUID) -> SecondFactorRequired | None:
    """What a login with the right password gets instead of a session; None without a factor.

    In the present transaction; the account is held by the caller.
    """
    if find_confirmed(account_id) is None:
        return None
    token = confirmations.issue_token(
        account_id=account_id, purpose=Purpose.SECOND_FACTOR, lifetime=CHALLENGE_LIFETIME
    )
    return SecondFactorRequired(token, int(CHALLENGE_LIFETIME.total_seconds()))


class _Checked(NamedTuple):
    """Password and code of an account, both right when they were checked."""

    account_id: uuid.UUID
    password: StoredPassword
    code: CheckedCode


def _check_both(account_id: uuid.UUID, password: str, code: str, client: Client) -> _Checked:
    """Password and code, as a login asks for them; outside any transaction."""
    confirmed = confirm_password(account_id=account_id, password=password, client=client)
    with transaction.read_only():
        factor = find_confirmed(account_id)
    if factor is None:
        raise NotFound("The account has no second factor")
    return _Checked(account_id, confirmed, check_code(factor, code=code, client=client))


def _spend(checked: _Checked, client: Client) -> Account:
    """Lock the account and use the code up, in the present transaction.

    Raises Conflict if the password was changed after its check, InvalidCode.
    """
    account = hold_account(checked.account_id, password_hash=checked.password.hash)
    spend_code(checked.code, account=account, client=client)
    return account


def _remove(account: Account, client: Client) -> None:
    factor_rows.delete_for_account(account.id)
    confirmations.withdraw_tokens(account_id=account.id, purposes=CHALLENGE)
    audit.record(EventName.SECOND_FACTOR_REMOVED, account_id=account.id, client=client)
    queue.queue_notice(template=MailTemplate.SECOND_FACTOR_REMOVED, account=account, client=client)


def _get_pending(account_id: uuid.UUID) -> SecondFactor:
    factor = factor_rows.find_factor(account_id)
    if factor is not None and factor.confirmed_at is not None:
        raise SecondFactorExists
    if (
        factor is None
        or factor.created_at + PENDING_LIFETIME <= clock.now()
        or clock.is_ahead(factor.created_at)
    ):
        raise NotFound("There is no second factor to confirm")
    return factor


def _issuer() -> str:
    """The issuer that the app shows: the sender's name of the service's mails."""
    name, address = parseaddr(settings().mail_from)
    return name or address.rpartition("@")[2]
