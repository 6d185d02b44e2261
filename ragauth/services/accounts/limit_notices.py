"""Notices: an owner is told when most, or all, of a limit of a day or a month is used.

Once in each window, by one of all processes and hosts: a notice is a row whose primary key decides.
It is written together with the event and the mail. No key check waits for any of this.
"""

import logging
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from ragauth import clock, transaction
from ragauth.counters import ChangedRow
from ragauth.errors import ExternalServiceUnavailable
from ragauth.models import accounts as account_rows
from ragauth.models import limit_notices as notice_rows
from ragauth.models.accounts import ACTIVE, PlanOfAccount
from ragauth.models.limit_notices import NoticeName
from ragauth.policy import DAY, Limit
from ragauth.security.key_format import TEST
from ragauth.services import audit
from ragauth.services.audit import Client, EventName
from ragauth.services.limits.limits import Limits, UsedLimit
from ragauth.services.limits.seeds import ENVIRONMENTS
from ragauth.services.limits.spans import Span
from ragauth.services.mail.queue import NOTICE_LIFETIME, MailTemplate, queue_mail

log = logging.getLogger("ragauth")

#: How long a notice is kept: longer than its window.
KEPT = timedelta(days=40)

_MOST = 80
_ALL = 100
_CLIENT = Client(ip=None, user_agent="limits")
# Databases bound the number of parameters.
_AT_ONCE = 500
_FAILURE = "owners were not told how much of their limits is used"


class _Reached(NamedTuple):
    """A limit of which 80 % or all is used, in a window of the calendar."""

    notice: NoticeName
    limit: Limit
    used: int
    anew_at: datetime


class LimitNotices:
    """Looks at the limits of accounts whose usage was saved, and tells their owners."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._is_failing = False

    def tell(self, rows: Sequence[ChangedRow], *, wait_ms: int | None = None) -> bool:
        """Tell the owners of the accounts that these rows belong to, after the rows were saved.

        False if database or counters failed, so that it must be tried again. `wait_ms` is as
        `transaction.unit_of_work` has it. Suspended and deleted accounts are told nothing.
        """
        try:
            for reached in self._find_untold(rows):
                _tell_owner(reached, wait_ms)
        except (SQLAlchemyError, ExternalServiceUnavailable) as error:
            if not self._is_failing:
                log.warning(_FAILURE, extra={"cause": type(error).__name__})
            self._is_failing = True
            return False
        except Exception:  # a bug must not keep usage from being saved
            log.exception(_FAILURE)
        self._is_failing = False
        return True

    def _find_untold(self, rows: Sequence[ChangedRow]) -> list[_Reached]:
        plans = _find_plans({uuid.UUID(bytes=account) for account in {row[0] for row in rows}})
        reached: list[_Reached] = []
        for account, index in sorted({(row.account, row.environment) for row in rows}):
            if (plan := plans.get(account)) is not None:
                reached += self._find_reached(plan, ENVIRONMENTS[index])
        if not reached:
            return []
        told: set[NoticeName] = set()
        for start in range(0, len(reached), _AT_ONCE):
            names = [found.notice for found in reached[start : start + _AT_ONCE]]
            with transaction.read_only():
                told |= notice_rows.find_notices(
                    {name.account_id for name in names}, {name.period for name in names}
                )
        return [found for found in reached if found.notice not in told]

    def _find_reached(self, plan: PlanOfAccount, environment: str) -> list[_Reached]:
        span, limits = self._limits.peek_in_calendar(
            plan.account_id.bytes, environment, plan.plan, plan.limits
        )
        return [
            _reached(plan.account_id, environment, found, span)
            for found in limits
            if 100 * found.used >= _MOST * found.limit.size
        ]


def delete_old_notices(*, before: datetime, limit: int) -> int:
    """Delete up to `limit` notices that are older; returns how many."""
    with transaction.unit_of_work():
        return notice_rows.delete_older(before, limit=limit)


def _find_plans(account_ids: Collection[uuid.UUID]) -> dict[bytes, PlanOfAccount]:
    ids, plans = sorted(account_ids), []
    with transaction.read_only():
        for start in range(0, len(ids), _AT_ONCE):
            plans += account_rows.find_plans(ids[start : start + _AT_ONCE])
    return {plan.account_id.bytes: plan for plan in plans}


def _reached(account_id: uuid.UUID, environment: str, found: UsedLimit, span: Span) -> _Reached:
    limit, used = found
    is_daily = limit.window == DAY
    month = f"{span.month // 100:04}-{span.month % 100:02}"
    notice = NoticeName(
        account_id,
        environment,
        limit.meter,
        f"{month}-{span.day % 100:02}" if is_daily else month,
        _ALL if used >= limit.size else _MOST,
    )
    ends_ms = span.day_ends_ms if is_daily else span.month_ends_ms
    return _Reached(notice, limit, used, clock.from_ms(ends_ms))


def _tell_owner(reached: _Reached, wait_ms: int | None) -> None:
    notice, limit = reached.notice, reached.limit
    with transaction.unit_of_work(wait_ms=wait_ms):
        # The lock: an erasure that comes first leaves nobody to tell, one that comes afterwards
        # deletes the notice and the mail.
        account = account_rows.lock_account(notice.account_id)
        if account is None or account.status != ACTIVE:
            return
        if not notice_rows.add_notice(notice, at=clock.now()):
            # Another process told it first.
            return
        is_all = notice.percent == _ALL
        if is_all:
            # No warning follows, if there was none.
            notice_rows.add_notice(notice._replace(percent=_MOST), at=clock.now())
        audit.record(
            EventName.LIMIT_REACHED if is_all else EventName.LIMIT_WARNED,
            account_id=account.id,
            client=_CLIENT,
            limit=limit.full_name,
            meter=limit.meter,
            window=limit.window.name,
            size=limit.size,
            percent=notice.percent,
            environment=notice.environment,
        )
        if account.limit_mails and account.email is not None:
            queue_mail(
                template=MailTemplate.LIMIT_REACHED if is_all else MailTemplate.LIMIT_WARNED,
                account=account,
                to=account.email,
                lifetime=NOTICE_LIFETIME,
                keys="test keys" if notice.environment == TEST else "keys",
                used=f"{reached.used:,}",
                size=f"{limit.size:,}",
                meter=limit.meter.replace("_", " "),
                window=limit.window.name,
                anew=f"{reached.anew_at.day} {reached.anew_at.strftime('%B %Y, %H:%M UTC')}",
            )
