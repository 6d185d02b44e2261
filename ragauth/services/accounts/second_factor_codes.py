"""The codes of a second factor: checked before the transaction begins, spent within it.

A check is counted by the throttle, whose counters may be across a network. Spending is a
compare-and-swap: a code that is presented several times, at once or later, succeeds once.
"""

import uuid
from dataclasses import dataclass
from enum import StrEnum

from ragauth import clock, transaction
from ragauth.errors import InvalidCode
from ragauth.extensions import settings
from ragauth.models import Account, SecondFactor
from ragauth.models import second_factors as factor_rows
from ragauth.security import recovery_codes, sealing, totp
from ragauth.services import audit
from ragauth.services.audit import Client, EventName
from ragauth.services.limits import throttles
from ragauth.services.mail import queue
from ragauth.services.mail.queue import MailTemplate

# When this few recovery codes are left, an event tells so.
FEW_CODES = 3

_SEAL_PURPOSE = "ragauth second factor"


class Method(StrEnum):
    """Which kind of code was presented."""

    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"


@dataclass(frozen=True, slots=True)
class CheckedCode:
    """A code that was right when it was checked: a time step of the app, or a recovery code."""

    factor: SecondFactor
    step: int | None = None
    recovery_digest: bytes | None = None


def check_code(factor: SecondFactor, *, code: str, client: Client) -> CheckedCode:
    """Check a code of the app or an unused recovery code.

    Call it outside any transaction. Raises InvalidCode after the throttles have counted the failure
    and an event is recorded, or RateLimitExceeded after too many failures.
    """
    try:
        with (
            throttles.second_factor_failures_of_a_day(factor.account_id).failures(),
            throttles.second_factor_failures(factor.account_id).failures(),
        ):
            return _find_code(factor, code)
    except InvalidCode:
        with transaction.unit_of_work():
            _record_refusal(factor.account_id, client)
        raise


def spend_code(checked: CheckedCode, *, account: Account, client: Client) -> Method:
    """Use a checked code up, in the present transaction; InvalidCode if it was used meanwhile."""
    account_id = account.id
    if checked.step is not None:
        if not _spend_step(checked.factor, checked.step):
            _record_refusal(account_id, client)
            raise InvalidCode
        return Method.TOTP
    if checked.recovery_digest is None or not factor_rows.spend_recovery_code(
        account_id, digest=checked.recovery_digest, now=clock.now()
    ):
        _record_refusal(account_id, client)
        raise InvalidCode
    left = factor_rows.count_recovery_codes(account_id)
    audit.record(EventName.RECOVERY_CODE_USED, account_id=account_id, client=client, left=left)
    if left <= FEW_CODES:
        audit.record(EventName.RECOVERY_CODES_LOW, account_id=account_id, client=client, left=left)
    queue.queue_notice(
        template=MailTemplate.RECOVERY_CODE_USED, account=account, client=client, left=str(left)
    )
    return Method.RECOVERY_CODE


def replace_recovery_codes(factor: SecondFactor) -> list[str]:
    """Make ten new recovery codes in the present transaction; the old ones no longer work."""
    secret = _open(factor)
    codes = [recovery_codes.new_code() for _ in range(recovery_codes.COUNT)]
    factor_rows.delete_recovery_codes(factor.account_id)
    factor_rows.add_recovery_codes(
        factor.account_id,
        digests=[recovery_codes.digest_code(code, totp_secret=secret) for code in codes],
    )
    return codes


def seal_secret(secret: str, account_id: uuid.UUID) -> bytes:
    return sealing.seal(
        secret.encode("ascii"),
        secret_key=settings().secret_key,
        purpose=_SEAL_PURPOSE,
        context=account_id.bytes,
    )


def list_enrolled() -> list[uuid.UUID]:
    """The accounts that have a second factor, confirmed or not."""
    with transaction.read_only():
        return factor_rows.list_account_ids()


def reseal(account_id: uuid.UUID) -> bool | None:
    """Seal a factor's secret with the present secret key; whether that was needed.

    None if no secret key opens it.
    """
    with transaction.unit_of_work():
        factor = factor_rows.find_factor(account_id)
        if factor is None or sealing.is_sealed_with(
            factor.sealed_secret, secret_key=settings().secret_key, purpose=_SEAL_PURPOSE
        ):
            return False
        try:
            secret = _open(factor)
        except sealing.SealBroken:
            return None
        # No row matches if a login has sealed it meanwhile: the result is the same.
        return factor_rows.replace_secret(
            account_id,
            sealed_secret=factor.sealed_secret,
            resealed_secret=seal_secret(secret, account_id),
        )


def _open(factor: SecondFactor) -> str:
    secret = sealing.unseal(
        factor.sealed_secret,
        secret_keys=[settings().secret_key, *settings().old_secret_keys],
        purpose=_SEAL_PURPOSE,
        context=factor.account_id.bytes,
    )
    return secret.decode("ascii")


def _find_code(factor: SecondFactor, code: str) -> CheckedCode:
    """Raises InvalidCode."""
    secret = _open(factor)
    step = totp.find_step(secret, recovery_codes.without_separators(code), now=clock.now())
    if step is not None:
        last = factor.last_step
        # One that is further away was used while the clock was wrong: it must not lock the owner
        # out until that time comes.
        if last is None or last < step or last > step + totp.FURTHEST_USED:
            return CheckedCode(factor, step=step)
        raise InvalidCode
    normal = recovery_codes.normalise_code(code)
    if normal is None:
        raise InvalidCode
    digest = recovery_codes.digest_code(normal, totp_secret=secret)
    with transaction.read_only():
        if factor_rows.has_recovery_code(factor.account_id, digest=digest):
            return CheckedCode(factor, recovery_digest=digest)
    raise InvalidCode


def _spend_step(factor: SecondFactor, step: int) -> bool:
    """Store the used time step; the same update seals the secret with the present secret key."""
    return factor_rows.advance_step(
        factor.account_id,
        step=step,
        furthest_used=step + totp.FURTHEST_USED,
        sealed_secret=factor.sealed_secret,
        resealed_secret=seal_secret(_open(factor), factor.account_id),
    )


def _record_refusal(account_id: uuid.UUID, client: Client) -> None:
    audit.record(EventName.SECOND_FACTOR_FAILED, account_id=account_id, client=client)
