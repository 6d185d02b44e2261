"""Notices: an owner is told when most, or all, of a limit of a day or a month is used.

Once in each window, by one of all processes and hosts: a notice is a row whose primary key decides.
It is written together with the event and the mail. No key check waits for any of this.
"""

import logging
import uuid
from collections.abc import Callable, Collection, Sequence
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
from ragauth.services.accounts.limit_looks import Counted, Looks, counted_in
from ragauth.services.audit import Client, EventName
from ragauth.services.limits.limits import Limits
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
    """Looks at the limits of accounts whose usage was saved, and tells their owners.

    Suspended and deleted accounts are told nothing.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._looks = Looks()
        self._is_failing = False

    def tell(self, rows: Sequence[ChangedRow], *, wait_ms: int | None = None) -> bool:
        """Tell the owners of the accounts that these rows belong to, after the rows were saved.

        False if database or counters failed, so that it must be tried again. `wait_ms` is as
        `transaction.unit_of_work` has it.
        """
        return self._try(lambda: self._look_at(counted_in(rows), wait_ms))

    def tell_in_turn(self, rows: Sequence[ChangedRow]) -> bool:
        """The same for the thread that saves turn after turn, with fewer looks (see `Looks`).

        Without rows too: it looks at those that were left out a minute ago.
        """
        return self._try(lambda: self._look_in_turn(self._looks.find_due(rows)))

    def tell_left_out(self) -> bool:
        """Look at those that were left out, before the thread ends."""
        return self._try(lambda: self._look_in_turn(self._looks.find_left_out()))

    def _try(self, tell: Callable[[], object]) -> bool:
        try:
            tell()
        except (SQLAlchemyError, ExternalServiceUnavailable) as error:
            if not self._is_failing:
                log.warning(_FAILURE, extra={"cause": type(error).__name__})
            self._is_failing = True
            return False
        except Exception:  # a bug must not keep usage from being saved
            log.exception(_FAILURE)
        self._is_failing = False
        return True

    def _look_in_turn(self, due: Collection[Counted]) -> None:
        self._looks.note(due, self._look_at(due, None))

    def _look_at(
        self, due: Collection[Counted], wait_ms: int | None
    ) -> dict[Counted, dict[str, int]]:
        """Tell whom nobody told; returns how much of each meter is left before the next notice."""
        plans = _find_plans({account for account, _ in due})
        reached: list[_Reached] = []
        left: dict[Counted, dict[str, int]] = {}
        for counted in due:
            plan, environment = plans.get(counted[0]), ENVIRONMENTS[counted[1]]
            if plan is None:
                continue
            span, limits = self._limits.peek_in_calendar(
                counted[0], environment, plan.plan, plan.limits
            )
            of_meters = left[counted] = {}
            for limit, used in limits:
                percent = _percent_of(limit, used)
                if percent:
                    reached.append(
                        _reached(plan.account_id, environment, limit, used, percent, span)
                    )
                if percent != _ALL:
                    rest = (limit.size if percent else limit.size * _MOST // 100) - used
                    of_meters[limit.meter] = min(rest, of_meters.get(limit.meter, rest))
        for untold in _leave_out_told(reached):
            _tell_owner(untold, wait_ms)
        return left


def delete_old_notices(*, before: datetime, limit: int) -> int:
    """Delete a batch of the oldest notices; returns how many."""
    with transaction.unit_of_work():
        return notice_rows.delete_older(before, limit=limit)


def _leave_out_told(reached: Sequence[_Reached]) -> list[_Reached]:
    told: set[NoticeName] = set()
    for start in range(0, len(reached), _AT_ONCE):
        names = [found.notice for found in reached[start : start + _AT_ONCE]]
        with transaction.read_only():
            told |= notice_rows.find_notices(
                {name.account_id for name in names}, {name.period for name in names}
            )
    return [found for found in reached if found.notice not in told]


def _find_plans(accounts: Collection[bytes]) -> dict[bytes, PlanOfAccount]:
    ids, plans = [uuid.UUID(bytes=account) for account in accounts], []
    with transaction.read_only():
        for start in range(0, len(ids), _AT_ONCE):
            plans += account_rows.find_plans(ids[start : start + _AT_ONCE])
    return {plan.account_id.bytes: plan for plan in plans}


def _percent_of(limit: Limit, used: int) -> int:
    """What must be told: 80, 100, or 0 for nothing."""
    if used >= limit.size:
        return _ALL
    return _MOST if 100 * used >= _MOST * limit.size else 0


def _reached(
    account_id: uuid.UUID, environment: str, limit: Limit, used: int, percent: int, span: Span
) -> _Reached:
    period, ends_ms = f"{span.month // 100:04}-{span.month % 100:02}", span.month_ends_ms
    if limit.window == DAY:
        period, ends_ms = f"{period}-{span.day % 100:02}", span.day_ends_ms
    notice = NoticeName(account_id, environment, limit.meter, period, percent)
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
