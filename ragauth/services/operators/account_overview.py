"""One account's overview for operators."""

from dataclasses import dataclass
from datetime import date, datetime

from ragauth import clock, transaction
from ragauth.models import Account, ApiKey, meter_totals
from ragauth.models import api_keys as key_rows
from ragauth.models import events as event_rows
from ragauth.models import sessions as session_rows
from ragauth.models import usage as usage_rows
from ragauth.services.accounts import second_factors
from ragauth.services.audit import EventName
from ragauth.services.limits.usage import bring_up_to_date


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """`requests`, `units`, and `use` of other meters, are those since
    `month_began`, of live and test keys together.

    `keys` are the live keys, newest first. `last_login_at` is None if the last login's event is too
    old to be kept.
    """

    keys: list[ApiKey]
    month_began: date
    requests: int
    units: int
    use: dict[str, int]
    last_login_at: datetime | None
    has_second_factor: bool
    sessions: int


def look_at(account: Account) -> AccountOverview:
    """Make the overview; usage that is counted by now is saved first."""
    bring_up_to_date(account.id)
    with transaction.read_only():
        now = clock.now()
        month_began = now.date().replace(day=1)
        requests, units = usage_rows.sum_of_account(
            account.id, first_day=month_began, last_day=now.date()
        )
        use = meter_totals.use_of_accounts([account.id], first_day=month_began, last_day=now.date())
        logins = event_rows.list_latest(account.id, EventName.LOGIN_SUCCEEDED, limit=1)
        return AccountOverview(
            keys=sorted(key_rows.list_all_live(account.id), key=lambda key: key.id, reverse=True),
            month_began=month_began,
            requests=requests,
            units=units,
            use=use.get(account.id, {}),
            last_login_at=logins[0].at if logins else None,
            has_second_factor=second_factors.find_confirmed(account.id) is not None,
            sessions=session_rows.count_live(account.id, now=now),
        )
