"""The log: one JSON object a line on standard error."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter


def json_formatter() -> JsonFormatter:
    return JsonFormatter(
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
