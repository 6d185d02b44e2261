"""An account's password: asked for again to confirm an action, changed, replaced."""

import uuid

from ragauth import transaction
from ragauth.errors import InvalidRequest, WrongPassword
from ragauth.models import Account
from ragauth.models import accounts as account_rows
from ragauth.security.passwords import find_weakness
from ragauth.services import audit
from ragauth.services.account_lock import hold_account
from ragauth.services.accounts import confirmations, hashing
from ragauth.services.accounts.confirmations import Purpose
from ragauth.services.accounts.hashing import StoredPassword
from ragauth.services.accounts.hashing_gate import share_of
from ragauth.services.audit import Client, EventName
from ragauth.services.limits import throttles
from ragauth.services.mail import queue
from ragauth.services.mail.queue import MailTemplate
from ragauth.services.sessions import sessions

# Tokens of what was begun with the old password, or would undo the new one.
_ENDS_WITH_IT = frozenset({Purpose.SECOND_FACTOR, Purpose.CHANGE_EMAIL})


def stored_password(account: Account | None) -> StoredPassword | None:
    if account is None or account.password_hash is None or account.password_scheme is None:
        return None
    return StoredPassword(account.password_hash, account.password_scheme)


def confirm_password(*, account_id: uuid.UUID, password: str, client: Client) -> StoredPassword:
    """Check the password of a caller with a valid session.

    It takes long, so call it outside any transaction. The transaction that follows must lock the
    account and compare its hash with the one checked here. Raises WrongPassword, RateLimitExceeded
    after too many of them.
    """
    with transaction.read_only():
        stored = stored_password(account_rows.find_account(account_id))
    with throttles.password_confirmations(account_id).failures():
        share = share_of(client.ip, account_id)
        if not hashing.verify_password(password, stored, share) or stored is None:
            raise WrongPassword
    return stored


def require_hard_to_guess(password: str, account: Account | None) -> None:
    """Raises InvalidRequest for a well-known password and for the account's own words."""
    own_words = [] if account is None else [account.email, account.username, account.name]
    weakness = find_weakness(password, own_words)
    if weakness is not None:
        raise InvalidRequest([{"path": ["new_password"], "message": weakness}])


def change_password(
    *,
    account_id: uuid.UUID,
    session_id: uuid.UUID,
    current_password: str,
    new_password: str,
    client: Client,
) -> None:
    """Set a new password; every session but this one ends.

    The new password may be the old one: the other sessions end in any case, and a refusal would
    confirm the password to somebody who stole a session. Raises WrongPassword, InvalidRequest for
    one that is easy to guess, Conflict if another change came first.
    """
    with transaction.read_only():
        account = account_rows.find_account(account_id)
    require_hard_to_guess(new_password, account)
    confirmed = confirm_password(account_id=account_id, password=current_password, client=client)
    stored = hashing.hash_password(new_password, share_of(client.ip, account_id))
    with transaction.unit_of_work():
        account = hold_account(account_id, password_hash=confirmed.hash)
        replace_password(account, stored)
        sessions.end_sessions(account_id=account_id, except_session_id=session_id, client=client)
        audit.record(EventName.PASSWORD_CHANGED, account_id=account_id, client=client)
        queue.queue_notice(template=MailTemplate.PASSWORD_CHANGED, account=account, client=client)


def replace_password(account: Account, stored: StoredPassword) -> None:
    """Set a new password in the present transaction; the caller has locked the account.

    Pending resets end, unless the address is unconfirmed: otherwise a stranger who signed up with
    that address could keep its owner from ever using a reset.
    """
    account.password_hash, account.password_scheme = stored.hash, stored.scheme
    confirmations.withdraw_tokens(account_id=account.id, purposes=_ENDS_WITH_IT)
    queue.withdraw_mail(account_id=account.id, templates=[MailTemplate.CHANGE_EMAIL])
    if account.email_verified:
        withdraw_resets(account)
    transaction.when_committed(lambda: throttles.clear_login_failures(account))


def withdraw_resets(account: Account) -> None:
    """End pending resets: tokens, unsent mails and a waiting request."""
    confirmations.withdraw_tokens(
        account_id=account.id, purposes=frozenset({Purpose.RESET_PASSWORD})
    )
    queue.withdraw_mail(account_id=account.id, templates=[MailTemplate.RESET_PASSWORD])
