"""Throttles: how often something may fail, or be asked for, by one address or at one account."""

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
# An address is the account's own for as long as a login there is remembered at all.
_FAMILIAR_FOR = timedelta(days=30)
_NOBODY = uuid.UUID(int=0)


@contextmanager
def login_attempt(
    *, login: str, account_id: uuid.UUID | None, is_familiar: bool, client: Client
) -> Iterator[bool]:
    """Count a failed login; the block must raise AuthenticationFailed if it is given False.

    Strangers fail together, so a flood of them shuts strangers out; a client at an address
    where the account logged in before (`is_familiar`) has a window of its own there. The answer
    to a stranger depends only on the presented name: if the account's other name
    shared its window openly, its refusal would tell that both names are one account's. So
    the account's own window shuts in silence: the block gets False, and answers as for a wrong
    password in the same time.
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
        # An unknown account costs the same steps.
        try:
            counted.enter_context(_account_failures(subject).failures())
        except RateLimitExceeded:
            may_pass = False
        else:
            may_pass = True
        yield may_pass


def is_familiar(account_id: uuid.UUID | None, client: Client) -> bool:
    """Whether the account has lately logged in where the client is; one query, for None too.

    In the present transaction, unlike all that counts here. An IPv6 address stands for its /64. No
    address is nowhere.
    """
    addresses = session_rows.latest_addresses(
        account_id or _NOBODY, since=first_uuid_at(clock.now() - _FAMILIAR_FOR)
    )
    network = network_of(client.ip)
    return network is not None and any(network_of(address) == network for address in addresses)


def clear_login_failures(account: Account) -> None:
    """Let strangers try again: the account has a new password, whatever they guessed of the old."""
    _account_failures(f"account {account.id}").clear()
    for login in (account.email_canonical, account.username_canonical):
        if login is not None:
            _account_failures(f"name {login}").clear()


def failed_logins_of_address(client: Client) -> Throttle:
    """For `failures`, of all accounts together."""
    return _of_address(
        "login_failures_per_address",
        settings().login_failures_per_address,
        _FIVE_MINUTES,
        client,
        "Too many failed logins from your address; try again later",
    )


def signups_of_address(client: Client) -> Throttle:
    """For `attempts`: every signup that costs a hash."""
    return _of_address(
        "signups_per_address",
        settings().signups_per_address,
        _HOUR,
        client,
        "Too many signups from your address; try again later",
    )


def forgotten_of_address(client: Client) -> Throttle:
    """For `take`: as many mails as signups, which send one each, may be asked for."""
    return _of_address(
        "forgotten_passwords_per_address", settings().signups_per_address, _HOUR, client
    )


def mails_of_account(account_id: uuid.UUID) -> Throttle:
    """For `take`: confirmations sent again, and changes of the e-mail address."""
    return Throttle("mails_per_account", _MAILS_PER_ACCOUNT, _HOUR, str(account_id))


def writes_of_account(account_id: uuid.UUID) -> Throttle:
    """For `take`: changes of the account, revocations aside."""
    return Throttle(
        "writes_per_account",
        _WRITES_PER_ACCOUNT,
        _MINUTE,
        str(account_id),
        "Too many changes of this account; try again shortly",
    )


def revocations_of_session(session_id: uuid.UUID) -> Throttle:
    """For `take`: what only takes away.

    Of a session, not of the account: a thief who deletes and changes as fast as he can, in a
    session that he stole, must not keep the owner from ending it and revoking keys.
    """
    return Throttle(
        "revocations_per_session",
        _REVOCATIONS_PER_SESSION,
        _MINUTE,
        str(session_id),
        "Too many deletions in this session; try again shortly",
    )


def exports_of_account(account_id: uuid.UUID) -> Throttle:
    """For `attempts`: a long history takes seconds of a core, and a file."""
    return Throttle(
        "exports_per_account",
        _EXPORTS_PER_ACCOUNT,
        _HOUR,
        str(account_id),
        "Too many exports of this account; try again later",
    )


def second_factor_failures(account_id: uuid.UUID) -> Throttle:
    """For `failures`: the client has already proved the password."""
    return Throttle(
        "second_factor_failures",
        _SECOND_FACTOR_FAILURES,
        _FIVE_MINUTES,
        str(account_id),
        "Too many wrong codes; try again later",
        # Six digits, and nothing slow in the way.
        fails_closed=True,
    )


def second_factor_failures_of_a_day(account_id: uuid.UUID) -> Throttle:
    """For `failures`, beside the other: it bounds guesses that go on for months."""
    return Throttle(
        "second_factor_failures_per_day",
        _SECOND_FACTOR_FAILURES_PER_DAY,
        _DAY,
        str(account_id),
        "Too many wrong codes; try again tomorrow",
        fails_closed=True,
    )


def password_confirmations(account_id: uuid.UUID) -> Throttle:
    """For `failures`: a session's holder who confirms an act with a wrong password.

    Apart from logins: else the thief of a session could keep its owner from logging in.
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
    # The same object, not an equal one: a client without an address may call itself "operator".
    size = 0 if client is OPERATOR else size
    # Clients without an address share one window: else hiding it would evade the throttle.
    subject = str(network_of(client.ip) or "no address")
    return Throttle(limit, size, window_seconds, subject, message)
