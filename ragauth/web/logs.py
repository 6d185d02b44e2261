"""The log on standard error: one JSON object a line, or lines for a person at a terminal."""

import logging
from typing import Any

from flask import g, has_app_context
from pythonjsonlogger.json import JsonFormatter

from ragauth.web.around import current_request_id
from ragauth.web.log_lines import is_for_people, person_line
from ragauth.web.log_writer import log_stream


class _Formatter(JsonFormatter):
    """Adds the request id and the account id of the request that a line belongs to."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        request_id = current_request_id.get()
        if request_id is not None:
            log_data.setdefault("request_id", request_id)
            if has_app_context() and "account_id" in g:
                log_data.setdefault("account_id", g.account_id)
        return super().process_log_record(log_data)

    def formatException(self, ei: Any) -> Any:  # noqa: N802 - logging's name
        """Without memory for the traceback, tell the error alone.

        Python 3.13 compiles the lines of a traceback anew, and then raises a SystemError.
        """
        try:
            return super().formatException(ei)
        except (MemoryError, SystemError):
            return f"{ei[0].__name__}: no memory for the traceback"


class _PersonFormatter(_Formatter):
    """The same fields, for a person."""

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        return person_line(log_data)


def json_formatter(kind: type[_Formatter] = _Formatter) -> JsonFormatter:
    return kind(
        "{message}{levelname}{name}",
        style="{",
        timestamp="time",
        rename_fields={"levelname": "level", "name": "logger"},
    )


def formatter() -> JsonFormatter:
    """The formatter for this standard error; gunicorn's log uses it too."""
    return json_formatter(_PersonFormatter if is_for_people() else _Formatter)


def configure_logging() -> None:
    """Send the service's own log to standard error; a second call changes nothing."""
    log = logging.getLogger("ragauth")
    if log.handlers:
        return
    handler = logging.StreamHandler(log_stream)
    handler.setFormatter(formatter())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
