"""An account's e-mail address: confirmed with the token in a mail, or changed."""

import uuid
from datetime import timedelta

from ragauth import clock, transaction
from ragauth.errors import CredentialInvalid, EmailTaken
from ragauth.models import Account, Confirmation
from ragauth.models.base import flush
from ragauth.security.emails import canonical_email
from ragauth.services import audit
from ragauth.services.account_lock import hold_account, hold_account_of_token
from ragauth.services.accounts import confirmations, passwords
from ragauth.services.accounts.confirmations import Purpose
from ragauth.services.audit import Client, EventName
from ragauth.services.limits import throttles
from ragauth.services.mail import queue
from ragauth.services.mail.queue import MailTemplate

VERIFY_LIFETIME = timedelta(hours=24)
CHANGE_LIFETIME = timedelta(hours=1)
_CONFIRMS = frozenset({Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL})
_CONFLICTS = {"uq_accounts_email_canonical": EmailTaken}


def send_verification(account: Account) -> None:
    """Queue, in the present transaction, the mail that asks an owner to confirm the address."""
    if account.email is not None:
        _send_token(account, account.email, Purpose.VERIFY_EMAIL, MailTemplate.VERIFY_EMAIL)


def resend_verification(*, account_id: uuid.UUID) -> None:
    """Send the verification mail again; do nothing if the address is confirmed.

    Earlier tokens stay valid.

    Raises RateLimitExceeded.
    """
    throttles.mails_of_account(account_id).take()
    with transaction.unit_of_work():
        account = hold_account(account_id)
        if not account.email_verified:
            send_verification(account)


def request_change(*, account_id: uuid.UUID, new_email: str, password: str, client: Client) -> None:
    """Mail the new address a token that confirms the change; notify the old address.

    Whether another account has the new address is not looked up: the caller would learn who has
    one. The owner of the new address gets the mail in any case, and `confirm` then raises
    EmailTaken. Raises WrongPassword, RateLimitExceeded.
    """
    passwords.confirm_password(account_id=account_id, password=password, client=client)
    throttles.mails_of_account(account_id).take()
    with transaction.unit_of_work():
        account = hold_account(account_id)
        # Only the change that was requested last can be confirmed.
        confirmations.withdraw_tokens(
            account_id=account_id, purposes=frozenset({Purpose.CHANGE_EMAIL})
        )
        queue.withdraw_mail(account_id=account_id, templates=[MailTemplate.CHANGE_EMAIL])
        _send_token(account, new_email, Purpose.CHANGE_EMAIL, MailTemplate.CHANGE_EMAIL)
        queue.queue_notice(
            template=MailTemplate.EMAIL_CHANGE_REQUESTED,
            account=account,
            client=client,
            new_email=new_email,
        )
        audit.record(EventName.EMAIL_CHANGE_REQUESTED, account_id=account_id, client=client)


def confirm(*, token: str, client: Client) -> None:
    """Use the token of a mail: confirms the account's address, or completes a change of address.

    Raises as `confirmations.use_token` does, or EmailTaken, which leaves the token unused.
    """
    # Read first: an invalid token must not wait for, or hold, the database's write lock.
    with transaction.read_only():
        confirmation = confirmations.find_token(token, purposes=_CONFIRMS)
    with transaction.unit_of_work():
        account = hold_account_of_token(confirmation.account_id)
        confirmation = confirmations.use_token(token, purposes=_CONFIRMS)
        if confirmation.purpose == Purpose.CHANGE_EMAIL:
            _change(account, confirmation, client)
        elif account.email != confirmation.email:
            raise CredentialInvalid("The token is not valid")
        if account.email_verified_at is None:
            account.email_verified_at = clock.now()
            audit.record(EventName.EMAIL_VERIFIED, account_id=account.id, client=client)


def _change(account: Account, confirmation: Confirmation, client: Client) -> None:
    new_email = confirmation.email or ""
    queue.queue_notice(template=MailTemplate.EMAIL_CHANGED, account=account, client=client)
    account.email, account.email_canonical = new_email, canonical_email(new_email)
    account.email_verified_at = None
    flush(_CONFLICTS)
    # Tokens that were sent to the old address must not work any more.
    confirmations.withdraw_tokens(
        account_id=account.id, purposes=_CONFIRMS | {Purpose.RESET_PASSWORD}
    )
    queue.withdraw_mail(
        account_id=account.id,
        templates=[
            MailTemplate.VERIFY_EMAIL,
            MailTemplate.CHANGE_EMAIL,
            MailTemplate.RESET_PASSWORD,
        ],
    )
    audit.record(EventName.EMAIL_CHANGED, account_id=account.id, client=client)


def _send_token(account: Account, email: str, purpose: Purpose, template: MailTemplate) -> None:
    lifetime = CHANGE_LIFETIME if purpose is Purpose.CHANGE_EMAIL else VERIFY_LIFETIME
    token = confirmations.issue_token(
        account_id=account.id, purpose=purpose, lifetime=lifetime, email=email
    )
    queue.queue_mail(template=template, account=account, to=email, lifetime=lifetime, token=token)
