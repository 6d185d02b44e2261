"""A forgotten password: asked for by address, set anew with a mail's token."""

from datetime import timedelta

from ragauth import clock, transaction
from ragauth.errors import AccountSuspended, CredentialInvalid
from ragauth.models import Account, Confirmation
from ragauth.models import accounts as rows
from ragauth.models.accounts import ACTIVE, SUSPENDED
from ragauth.security.emails import canonical_email
from ragauth.services import (
    account_passwords,
    audit,
    confirmations,
    mail,
    passwords,
    sessions,
    throttles,
)
from ragauth.services.audit import Client, EventName
from ragauth.services.confirmations import Purpose
from ragauth.services.hashing import share_of
from ragauth.services.mail import Letter, MailTemplate

TOKEN_LIFETIME = timedelta(minutes=30)
_RESET = frozenset({Purpose.RESET_PASSWORD})


def request_reset(*, email: str, client: Client) -> None:
    """Put the question aside; the sender of mail answers it.

    Whether an account has the address is not even looked up here, so that neither the answer
    nor its time can tell. Past its throttle an address gets no mail, and the caller the same
    answer; only a client's address that asks too often gets RateLimitExceeded.
    """
    throttles.forgotten_of_address(client).take()
    if not throttles.forgotten_of_email(canonical_email(email)).has_room():
        return
    values = {"ip": client.ip or "", "user_agent": client.user_agent or ""}
    mail.add_letter(mail.RESET_REQUEST, None, Letter(email, values), TOKEN_LIFETIME)


def answer_request(letter: Letter) -> None:
    """Queue the mail with the token, in the present transaction, if there is whom to send it to.

    It goes to the account's own address, never to the presented spelling of it. Earlier tokens
    stay good: or whoever knows an address could keep its owner from ever using one.
    """
    email_canonical = canonical_email(letter.to)
    found = rows.find_by_email(email_canonical)
    # A change of address, or a deletion, comes before this or after it, never in between.
    account = None if found is None else rows.lock_account(found.id)
    if account is None or account.status != ACTIVE or account.email is None:
        return
    if account.email_canonical != email_canonical:
        return
    token = confirmations.issue_token(
        account_id=account.id,
        purpose=Purpose.RESET_PASSWORD,
        lifetime=TOKEN_LIFETIME,
        email=account.email,
    )
    mail.queue_mail(
        template=MailTemplate.RESET_PASSWORD,
        account=account,
        to=account.email,
        lifetime=TOKEN_LIFETIME,
        token=token,
        ip=letter.values["ip"],
    )
    audit.record(
        EventName.PASSWORD_RESET_REQUESTED,
        account_id=account.id,
        client=Client(letter.values["ip"] or None, letter.values["user_agent"] or None),
    )


def reset_password(*, token: str, new_password: str, client: Client) -> None:
    """Set a new password; every session ends. It may be the old one.

    Raises as `confirmations.find_token` does; InvalidRequest for a password that is easy to
    guess, which does not spend the token.
    """
    with transaction.read_only():
        confirmation = confirmations.find_token(token, purposes=_RESET)
        account = rows.find_account(confirmation.account_id)
        account_passwords.require_hard_to_guess(new_password, account)
    # Nothing is hashed for who has no token, and no token is spent while it is.
    share = share_of(client.ip, confirmation.account_id)
    stored = passwords.hash_password(new_password, share)
    account = rows.lock_account(confirmation.account_id)
    if account is None:
        raise CredentialInvalid("The token is not valid")
    if account.status == SUSPENDED:
        raise AccountSuspended
    confirmation = confirmations.use_token(token, purposes=_RESET)
    if confirmation.email != account.email:
        raise CredentialInvalid("The token is not valid")
    account_passwords.replace_password(account, stored)
    sessions.end_sessions(account_id=account.id, client=client)
    audit.record(EventName.PASSWORD_RESET, account_id=account.id, client=client)
    _prove_address(account, confirmation, client)
    mail.queue_notice(template=MailTemplate.PASSWORD_RESET, account=account, client=client)


def _prove_address(account: Account, confirmation: Confirmation, client: Client) -> None:
    """Whoever has the token reads the mail of the address that it went to."""
    if account.email_verified_at is None and account.email == confirmation.email:
        account.email_verified_at = clock.now()
        audit.record(EventName.EMAIL_VERIFIED, account_id=account.id, client=client)
