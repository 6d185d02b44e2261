"""A forgotten password: a reset is requested by e-mail address, and done with the mailed token."""

import uuid

from ragauth import clock, transaction
from ragauth.errors import CredentialInvalid
from ragauth.models import Account
from ragauth.models import accounts as account_rows
from ragauth.models import outbox as outbox_rows
from ragauth.models.accounts import ACTIVE
from ragauth.security.emails import canonical_email
from ragauth.services import audit
from ragauth.services.account_lock import hold_account_of_token, lock_account
from ragauth.services.accounts import clean_start, confirmations, hashing
from ragauth.services.accounts import passwords as account_passwords
from ragauth.services.accounts.confirmations import Purpose
from ragauth.services.accounts.hashing import StoredPassword
from ragauth.services.accounts.hashing_gate import share_of
from ragauth.services.audit import Client, EventName
from ragauth.services.limits import throttles
from ragauth.services.mail import budget, queue
from ragauth.services.mail.budget import ResetPlace
from ragauth.services.mail.queue import Letter, MailTemplate
from ragauth.services.sessions import sessions

TOKEN_LIFETIME = budget.RESET_LIFETIME
_RESET = frozenset({Purpose.RESET_PASSWORD})


def request_reset(*, email: str, client: Client) -> None:
    """Queue the request; the mail sender answers it later.

    Whether an account has the address, and how many mails it got, is not looked up here, so that
    neither the answer nor its time reveals it. RateLimitExceeded depends on the client's address
    alone.
    """
    throttles.forgotten_of_address(client).take()
    values = {"ip": client.ip or "", "user_agent": client.user_agent or ""}
    with transaction.unit_of_work():
        queue.add_letter(queue.RESET_REQUEST, None, Letter(email, values), TOKEN_LIFETIME)


def answer_request(request_id: uuid.UUID, letter: Letter) -> None:
    """Queue the mail with the token, if an account has the address; delete the request's row.

    The mail goes to the account's stored address, never to the presented spelling of it. Earlier
    tokens stay valid: otherwise a stranger could void the owner's token by requesting again. If the
    address has had its mails of this hour, the request waits for the next place
    (`services.mail.budget`); until then the token of an earlier mail works. Raises
    ExternalServiceUnavailable.
    """
    email_canonical = canonical_email(letter.to)
    with transaction.read_only():
        is_known = _find_recipient(email_canonical) is not None
    if not is_known:
        with transaction.unit_of_work():
            outbox_rows.remove(request_id)
        return
    place = budget.take_reset_place(email_canonical)
    is_used = False
    try:
        with transaction.unit_of_work():
            # Under the account's lock no change of address and no deletion can happen meanwhile.
            # The account is locked before the row is deleted; a reset takes its locks in the same
            # order.
            account = _lock_recipient(email_canonical)
            is_first = outbox_rows.remove(request_id)
            if account is not None and is_first:
                _queue(account, letter, place)
        is_used = account is not None and is_first
    finally:
        if not is_used:
            place.give_back()


def _queue(account: Account, letter: Letter, place: ResetPlace) -> None:
    """Queue the mail with the token or, if no place is free, the request again for later."""
    if not place.is_taken:
        # One waiting request is enough.
        if not outbox_rows.has_one(account.id, template=queue.RESET_REQUEST):
            queue.add_letter(
                queue.RESET_REQUEST, account.id, letter, TOKEN_LIFETIME, due_at=place.free_at
            )
        return
    email = account.email or ""
    token = confirmations.issue_token(
        account_id=account.id,
        purpose=Purpose.RESET_PASSWORD,
        lifetime=TOKEN_LIFETIME,
        email=email,
    )
    queue.queue_mail(
        template=MailTemplate.RESET_PASSWORD,
        account=account,
        to=email,
        lifetime=TOKEN_LIFETIME,
        token=token,
        ip=letter.values["ip"],
    )
    audit.record(
        EventName.PASSWORD_RESET_REQUESTED,
        account_id=account.id,
        client=Client(letter.values["ip"] or None, letter.values["user_agent"] or None),
    )


def _find_recipient(email_canonical: str) -> Account | None:
    account = account_rows.find_by_email(email_canonical)
    return account if account is not None and account.status == ACTIVE else None


def _lock_recipient(email_canonical: str) -> Account | None:
    found = _find_recipient(email_canonical)
    account = None if found is None else lock_account(found.id)
    if account is None or account.status != ACTIVE or account.email_canonical != email_canonical:
        return None
    return account


def reset_password(*, token: str, new_password: str, client: Client) -> None:
    """Set a new password and end every session.

    The new password may be the old one. If the address was unconfirmed, it is confirmed now, and
    the account starts clean (`clean_start`). Raises as `confirmations.find_token` does;
    InvalidRequest for a password that is easy to guess, which leaves the token unused.
    """
    with transaction.read_only():
        confirmation = confirmations.find_token(token, purposes=_RESET)
        account = account_rows.find_account(confirmation.account_id)
    account_passwords.require_hard_to_guess(new_password, account)
    # Hash only for a valid token, and before the transaction that spends it.
    share = share_of(client.ip, confirmation.account_id)
    stored = hashing.hash_password(new_password, share)
    with transaction.unit_of_work():
        account = hold_account_of_token(confirmation.account_id)
        confirmation = confirmations.use_token(token, purposes=_RESET)
        if confirmation.email != account.email:
            raise CredentialInvalid("The token is not valid")
        _replace_password(account, stored, client)


def _replace_password(account: Account, stored: StoredPassword, client: Client) -> None:
    was_confirmed = account.email_verified
    account_passwords.replace_password(account, stored)
    sessions.end_sessions(account_id=account.id, client=client)
    audit.record(EventName.PASSWORD_RESET, account_id=account.id, client=client)
    ended = {} if was_confirmed else clean_start.end_what_was_set_up(account, client)
    # The token was mailed to this address, so its holder reads that mail.
    if not was_confirmed:
        account.email_verified_at = clock.now()
        audit.record(EventName.EMAIL_VERIFIED, account_id=account.id, client=client)
    queue.queue_notice(
        template=MailTemplate.PASSWORD_RESET, account=account, client=client, **ended
    )
