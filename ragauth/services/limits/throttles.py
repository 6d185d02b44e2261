"""Throttles: how often an action may fail, or be requested, for one address or one account."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from ragauth import clock
from ragauth.errors import RateLimitExceeded
from ragauth.extensions import settings
from ragauth.models import Account
from ragauth.models import sessions as session_rows
from ragauth.security.addresses import network_of
from ragauth.security.identifiers import first_uuid_at
from ragauth.services.audit import OPERATOR, Client
from ragauth.services.limits.throttle import Throttle

_MINUTE = 60
_FIVE_MINUTES = 300
_HOUR = 3600
_DAY = 86_400

_MAILS_PER_ACCOUNT = 5
_WRITES_PER_ACCOUNT = 120
_REVOCATIONS_PER_SESSION = 120
_EXPORTS_PER_ACCOUNT = 6
_SECOND_FACTOR_FAILURES = 5
# Three of a million codes are right at a time: guessing all year finds one, 1 time in 20.
_SECOND_FACTOR_FAILURES_PER_DAY = 50
# An address is familiar for this long after a login there.
_FAMILIAR_FOR = timedelta(days=30)
_NOBODY = uuid.UUID(int=0)


@contextmanager
def login_attempt(
    *, login: str, account_id: uuid.UUID | None, is_familiar: bool, client: Client
) -> Iterator[bool]:
    """Count a failed login; the block must raise AuthenticationFailed if it is given False.

    Clients at unfamiliar addresses share one window, so their flood shuts out unfamiliar clients
    only. A client at an address where the account logged in before (`is_familiar`) has a window of
    its own. An unfamiliar client is refused openly by the window of the presented name alone. A
    refusal by the account's window would reveal that two names (e-mail and username) belong to one
    account. So when the account's window is full, the block gets False, and answers as for a wrong
    password and after the same time.
    """
    if account_id is not None and is_familiar:
        at_home = _account_failures(f"account {account_id} at {network_of(client.ip)}")
        with at_home.failures():
            yield True
        at_home.clear()
        return
    # Prefixed, so that a presented name cannot collide with an account's own window.
    subject = f"account {account_id}" if account_id is not None else f"nobody {login}"
    with ExitStack() as counted:
        counted.enter_context(_account_failures(f"name {login}").failures())
        # An unknown account takes the same steps, so that time does not reveal it.
        try:
            counted.enter_context(_account_failures(subject).failures())
        except RateLimitExceeded:
            may_pass = False
        else:
            may_pass = True
        yield may_pass


def is_familiar(account_id: uuid.UUID | None, client: Client) -> bool:
    """Whether the account has lately logged in from the client's network; None costs a query too.

    In the present transaction, unlike the throttles here. An IPv6 address stands for its /64. A
    client without an address is never familiar.
    """
    addresses = session_rows.latest_addresses(
        account_id or _NOBODY, since=first_uuid_at(clock.now() - _FAMILIAR_FOR)
    )
    network = network_of(client.ip)
    return network is not None and any(network_of(address) == network for address in addresses)


def clear_login_failures(account: Account) -> None:
    """Let unfamiliar clients try again after a new password: old failures no longer matter."""
    _account_failures(f"account {account.id}").clear()
    for login in (account.email_canonical, account.username_canonical):
        if login is not None:
            _account_failures(f"name {login}").clear()


def failed_logins_of_address(client: Client) -> Throttle:
    """Use with `failures`: failed logins from one address, at all accounts together."""
    return _of_address(
        "login_failures_per_address",
        settings().login_failures_per_address,
        _FIVE_MINUTES,
        client,
        "Too many failed logins from your address; try again later",
    )


def signups_of_address(client: Client) -> Throttle:
    """Use with `attempts`: signups that cost a hash."""
    return _of_address(
        "signups_per_address",
        settings().signups_per_address,
        _HOUR,
        client,
        "Too many signups from your address; try again later",
    )


def forgotten_of_address(client: Client) -> Throttle:
    """Use with `take`: requests for a reset mail.

    The size is that of signups, which send a mail each.
    """
    return _of_address(
        "forgotten_passwords_per_address", settings().signups_per_address, _HOUR, client
    )


def mails_of_account(account_id: uuid.UUID) -> Throttle:
    """Use with `take`: confirmations sent again, and changes of the e-mail address."""
    return Throttle("mails_per_account", _MAILS_PER_ACCOUNT, _HOUR, str(account_id))


def writes_of_account(account_id: uuid.UUID) -> Throttle:
    """Use with `take`: changes of the account, except revocations."""
    return Throttle(
        "writes_per_account",
        _WRITES_PER_ACCOUNT,
        _MINUTE,
        str(account_id),
        "Too many changes of this account; try again shortly",
    )


def revocations_of_session(session_id: uuid.UUID) -> Throttle:
    """Use with `take`: requests that only revoke or delete.

    It counts for a session, not for the account: a thief who uses a stolen session up to its limits
    must not keep the owner from ending that session and revoking keys.
    """
    return Throttle(
        "revocations_per_session",
        _REVOCATIONS_PER_SESSION,
        _MINUTE,
        str(session_id),
        "Too many deletions in this session; try again shortly",
    )


def exports_of_account(account_id: uuid.UUID) -> Throttle:
    """Use with `attempts`: an export of a long history takes seconds of CPU time, and a file."""
    return Throttle(
        "exports_per_account",
        _EXPORTS_PER_ACCOUNT,
        _HOUR,
        str(account_id),
        "Too many exports of this account; try again later",
    )


def second_factor_failures(account_id: uuid.UUID) -> Throttle:
    """Use with `failures`: wrong codes after a right password."""
    return Throttle(
        "second_factor_failures",
        _SECOND_FACTOR_FAILURES,
        _FIVE_MINUTES,
        str(account_id),
        "Too many wrong codes; try again later",
        # A code has six digits, and its check is fast: without the throttle it is guessed in
        # minutes.
        fails_closed=True,
    )


def second_factor_failures_of_a_day(account_id: uuid.UUID) -> Throttle:
    """Use with `failures`, beside the shorter one: it bounds guesses that go on for months."""
    return Throttle(
        "second_factor_failures_per_day",
        _SECOND_FACTOR_FAILURES_PER_DAY,
        _DAY,
        str(account_id),
        "Too many wrong codes; try again tomorrow",
        fails_closed=True,
    )


def password_confirmations(account_id: uuid.UUID) -> Throttle:
    """Use with `failures`: wrong passwords given in a session to confirm an action.

    They are not counted as failed logins: otherwise the thief of a session could keep its owner
    from logging in.
    """
    return Throttle(
        "password_confirmation_failures",
        settings().login_failures_per_account,
        _FIVE_MINUTES,
        str(account_id),
        "Too many wrong passwords; try again later",
    )


def _account_failures(subject: str) -> Throttle:
    return Throttle(
        "login_failures_per_account",
        settings().login_failures_per_account,
        _FIVE_MINUTES,
        subject,
        "Too many failed logins; try again later",
    )


def _of_address(
    limit: str,
    size: int,
    window_seconds: int,
    client: Client,
    message: str = "Too many requests from your address; try again later",
) -> Throttle:
    # Compare the identity, not the value: a client without an address may send "operator" as its
    # user agent.
    size = 0 if client is OPERATOR else size
    # Clients without an address share one window: otherwise hiding the address would evade the
    # throttle.
    subject = str(network_of(client.ip) or "no address")
    return Throttle(limit, size, window_seconds, subject, message)
