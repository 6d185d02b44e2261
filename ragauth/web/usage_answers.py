"""Usage as a list in the envelope, or as a file of CSV (RFC 4180) if the client prefers that."""

import csv
import io
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Response, request

from ragauth.deadlines import require_thread
from ragauth.models.base import Page
from ragauth.schemas.base import EitherSchema
from ragauth.schemas.dumping import EitherDumper
from ragauth.services.limits import usage
from ragauth.services.limits.usage_files import UsageFile, open_usage
from ragauth.web.attachments import File, attachment
from ragauth.web.client import current_client
from ragauth.web.envelope import JSON_TYPE

CSV_TYPE = "text/csv"
_DEFAULT_LIMIT = 50
# JSON first: it answers who takes both alike. Parameters of a media range must be matched, too.
_OFFERED = (
    JSON_TYPE,
    CSV_TYPE,
    *(f"{CSV_TYPE};{parameters}" for parameters in ("charset=utf-8", "header=present")),
    f"{CSV_TYPE};charset=utf-8;header=present",
)
_PERIODS: Mapping[str | None, tuple[str, ...]] = {
    None: ("day", "account_id", "key_id"),
    "day": ("day", "account_id"),
    "month": ("month", "account_id"),
}
_COUNTED = ("environment", "requests", "units")


def usage_answer(
    schema: EitherSchema,
    *,
    asker: uuid.UUID,
    limit: int | None,
    cursor: Any,
    **span_asked: Any,
) -> Page[Any] | Response:
    """The rows that were asked for; as CSV without a limit, all of them."""
    span = usage.usage_span(**span_asked)
    if not _wants_csv():
        return usage.list_usage(span, limit=limit or _DEFAULT_LIMIT, cursor=cursor)
    require_thread()
    columns = [
        name
        for name in _PERIODS[span.group_by]
        if name != "account_id" or any(name in one.fields for one in schema.members.values())
    ]
    with open_usage(span, limit=limit, cursor=cursor, asker=asker, client=current_client()) as file:
        return attachment(
            partial(_write, usage_file=file, columns=[*columns, *_COUNTED], schema=schema),
            name=f"usage-{span.first_day}-{span.last_day}.csv",
            content_type=f"{CSV_TYPE}; charset=utf-8; header=present",
        )


def _wants_csv() -> bool:
    """Whether the client prefers CSV; one that names neither gets JSON."""
    best = request.accept_mimetypes.best_match(_OFFERED, JSON_TYPE)
    return best != JSON_TYPE


def _write(file: File, *, usage_file: UsageFile, columns: list[str], schema: EitherSchema) -> None:
    """A header and the rows. No cell holds a text that somebody chose, so none is a formula."""
    dumper = EitherDumper(schema)
    # A meter may have the name of another column.
    meters = [f"use.{name}" if name in columns else name for name in usage_file.meters]
    lines = [[*columns, *meters]]
    for rows in usage_file.rows:
        lines += (
            [
                *(row[name] for name in columns),
                *(row["use"].get(meter, 0) for meter in usage_file.meters),
            ]
            for row in dumper.dump_all(rows)
        )
        file.write(_csv(lines))
        lines = []


def _csv(lines: list[list[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()
