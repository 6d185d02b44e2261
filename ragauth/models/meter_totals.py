"""Sums of meters, other than requests, over whole accounts."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select

from ragauth.extensions import db
from ragauth.models.accounts import Account
from ragauth.models.base import count_rows
from ragauth.models.usage import MeterUsage, Usage, UsageOfAccount

# Databases bound the number of parameters.
_BATCH = 500


def list_top_accounts_of_meter(
    *, meter: str, first_day: date, last_day: date, limit: int | None
) -> list[UsageOfAccount]:
    """The accounts that used most of a meter, in that order; a `limit` of None is all."""
    within = MeterUsage.day.between(first_day, last_day)
    used = func.sum(MeterUsage.amount - MeterUsage.released)
    totals = (
        select(MeterUsage.account_id, used.label("used"))
        .where(within, MeterUsage.meter == meter)
        .group_by(MeterUsage.account_id)
        .order_by(used.desc(), MeterUsage.account_id)
        .limit(limit)
        .subquery()
    )
    query = (
        select(
            totals.c.account_id,
            Account.email,
            Account.external_id,
            Account.plan,
            func.coalesce(func.sum(Usage.requests), 0),
            func.coalesce(func.sum(Usage.units), 0),
        )
        .outerjoin(Account, Account.id == totals.c.account_id)
        .outerjoin(
            Usage,
            (Usage.account_id == totals.c.account_id) & Usage.day.between(first_day, last_day),
        )
        .group_by(
            totals.c.account_id,
            totals.c.used,
            Account.email,
            Account.external_id,
            Account.plan,
        )
        .order_by(totals.c.used.desc(), totals.c.account_id)
    )
    return [
        UsageOfAccount(account_id, email, external_id, plan, int(requests), int(units))
        for account_id, email, external_id, plan, requests, units in db.session.execute(query)
    ]


def count_accounts_of_meter(*, meter: str, first_day: date, last_day: date) -> int:
    """How many accounts used any of a meter."""
    return count_rows(
        select(MeterUsage.account_id)
        .where(MeterUsage.day.between(first_day, last_day), MeterUsage.meter == meter)
        .distinct()
    )


def use_of_accounts(
    account_ids: Sequence[uuid.UUID], *, first_day: date, last_day: date
) -> dict[uuid.UUID, dict[str, int]]:
    """What each of these accounts used of each meter, by name; live and test keys together."""
    use: dict[uuid.UUID, dict[str, int]] = defaultdict(dict)
    for start in range(0, len(account_ids), _BATCH):
        query = (
            select(
                MeterUsage.account_id,
                MeterUsage.meter,
                func.sum(MeterUsage.amount),
                func.sum(MeterUsage.released),
            )
            .where(
                MeterUsage.account_id.in_(account_ids[start : start + _BATCH]),
                MeterUsage.day.between(first_day, last_day),
            )
            .group_by(MeterUsage.account_id, MeterUsage.meter)
            .order_by(MeterUsage.account_id, MeterUsage.meter)
        )
        for account_id, meter, amount, released in db.session.execute(query):
            use[account_id][meter] = int(amount) - int(released)
    return use
