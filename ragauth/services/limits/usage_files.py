"""All usage of a span, in parts of bounded size, for a file."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ragauth import transaction
from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import current_policy
from ragauth.models import usage_pages
from ragauth.policy.limits import REQUESTS
from ragauth.security.addresses import neighbourhood_of
from ragauth.services.audit import Client
from ragauth.services.limits.export_turns import Turns, export_turns
from ragauth.services.limits.usage import UsageSpan, bring_up_to_date, list_usage, read_usage

_BATCH = 500


@dataclass(frozen=True, slots=True)
class UsageFile:
    """Rows as `list_usage` has them, and all meters, other than requests, that they may name."""

    meters: tuple[str, ...]
    rows: Iterator[Sequence[Any]]


@contextmanager
def open_usage(
    span: UsageSpan, *, limit: int | None, cursor: Any, asker: uuid.UUID, client: Client
) -> Iterator[UsageFile]:
    """Open the rows from the cursor on, up to a limit if there is one, to be read in the block.

    Without a limit a read transaction lasts as long as the block, and the block takes turns with
    exports: raises ExportUnderWay while this process makes another file for the asker, or too many
    for others. What is counted by now is saved first.
    """
    if limit is not None:
        page = list_usage(span, limit=limit, cursor=cursor)
        used = {meter for row in page.items for meter in row.use}
        yield UsageFile(_columns(used), iter([page.items]))
        return
    network = neighbourhood_of(client.ip)
    with export_turns.take_part(account_id=asker, network=network) as turns:
        bring_up_to_date(span.account_id)
        with transaction.read_only():
            used = set(
                usage_pages.list_meters(
                    account_id=span.account_id,
                    key_id=span.key_id,
                    first_day=span.first_day,
                    last_day=span.last_day,
                )
            )
            meters = _columns(used)
            yield UsageFile(meters, _all(turns, span, cursor, frozenset(meters)))


def _columns(used: set[str]) -> tuple[str, ...]:
    """The declared meters in the order of the policy, then those that were declared before."""
    declared = [name for name in current_policy().meters if name != REQUESTS]
    return (*declared, *sorted(used - {*declared}))


def _all(
    turns: Turns, span: UsageSpan, cursor: Any, meters: frozenset[str]
) -> Iterator[Sequence[Any]]:
    while True:
        page = read_usage(span, limit=_BATCH, cursor=cursor)
        if not all(meters.issuperset(row.use) for row in page.items):
            # On Postgres each statement sees what was saved meanwhile: the first use of a meter
            # that another process has just been told of. The file has no column for it.
            raise ExternalServiceUnavailable
        yield page.items
        cursor = page.next_cursor
        if cursor is None:
            return
        turns.end_and_take()
