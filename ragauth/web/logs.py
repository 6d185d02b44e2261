"""The log: one JSON object a line on standard error."""

import logging
import sys
from typing import Any

from flask import g, has_app_context
from pythonjsonlogger.json import JsonFormatter

from ragauth.web.request_log import current_request_id


class _Formatter(JsonFormatter):
    """Adds which request, and whose, a line is about."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        request_id = current_request_id.get()
        if request_id is not None:
            log_data.setdefault("request_id", request_id)
            if has_app_context() and "account_id" in g:
                log_data.setdefault("account_id", g.account_id)
        return super().process_log_record(log_data)


def json_formatter() -> JsonFormatter:
    return _Formatter(
        "{message}{levelname}{name}",
        style="{",
        timestamp="time",
        rename_fields={"levelname": "level", "name": "logger"},
    )


def configure_logging() -> None:
    """Send the service's own log to standard error; a second call changes nothing."""
    log = logging.getLogger("ragauth")
    if log.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_formatter())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
