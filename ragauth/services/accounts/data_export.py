"""Data export: everything that the service holds of one account, in parts of bounded size."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from ragauth import clock, transaction
from ragauth.errors import CredentialRevoked
from ragauth.models import Account, Confirmation, OutboxRow
from ragauth.models import accounts as account_rows
from ragauth.models import agents as agent_rows
from ragauth.models import api_keys as key_rows
from ragauth.models import confirmations as confirmation_rows
from ragauth.models import events as event_rows
from ragauth.models import outbox as mail_rows
from ragauth.models import sessions as session_rows
from ragauth.models.base import Page, Shown
from ragauth.models.usage import DayOfKey
from ragauth.security.addresses import neighbourhood_of
from ragauth.services.accounts import second_factors
from ragauth.services.accounts.second_factors import SecondFactorStatus
from ragauth.services.audit import Client
from ragauth.services.limits import throttles, usage
from ragauth.services.limits.export_turns import Turns, export_turns
from ragauth.services.limits.usage import UsageSpan

T = TypeVar("T")

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Export:
    """All data of an account; a long part is read from the database as it is consumed."""

    exported_at: datetime
    account: Account
    second_factor: SecondFactorStatus | None
    confirmations: list[Confirmation]
    queued_mail: list[OutboxRow]
    agents: Iterator[Shown]
    api_keys: Iterator[Shown]
    sessions: Iterator[Shown]
    events: Iterator[Shown]
    usage: Iterator[DayOfKey]


@contextmanager
def open_export(*, account_id: uuid.UUID, client: Client) -> Iterator[Export]:
    """Open all data of the account, newest first; it must be consumed within the block.

    A read transaction lasts as long as the block. The data has no digest, no secret and no password
    hash. Raises RateLimitExceeded after too many exports, and ExportUnderWay while this process
    makes another export of this account, or too many exports of others.
    """
    with (
        throttles.exports_of_account(account_id).attempts(),
        export_turns.take_part(account_id=account_id, network=neighbourhood_of(client.ip)) as turns,
    ):
        usage.bring_up_to_date(account_id)
        with transaction.read_only():
            account = account_rows.find_account(account_id)
            if account is None:
                raise CredentialRevoked
            yield Export(
                exported_at=clock.now(),
                account=account,
                second_factor=second_factors.find_status(account_id),
                confirmations=confirmation_rows.list_of_account(account_id),
                queued_mail=mail_rows.list_of_account(account_id),
                agents=_all(
                    turns,
                    lambda cursor: agent_rows.list_agents(account_id, limit=_BATCH, cursor=cursor),
                ),
                api_keys=_all(
                    turns,
                    lambda cursor: key_rows.list_keys(
                        account_id,
                        agent_id=None,
                        include_revoked=True,
                        idle_since=None,
                        limit=_BATCH,
                        cursor=cursor,
                    ),
                ),
                sessions=_all(
                    turns,
                    lambda cursor: session_rows.list_all(account_id, limit=_BATCH, cursor=cursor),
                ),
                events=_all(
                    turns,
                    lambda cursor: event_rows.list_events(account_id, limit=_BATCH, cursor=cursor),
                ),
                usage=_all(
                    turns,
                    lambda cursor: usage.read_usage(
                        UsageSpan(account_id, None, None, date.min, date.max),
                        limit=_BATCH,
                        cursor=cursor,
                    ),
                ),
            )


def _all(turns: Turns, read_page: Callable[[Any], Page[T]]) -> Iterator[T]:
    cursor = None
    while True:
        page = read_page(cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return
        turns.end_and_take()
