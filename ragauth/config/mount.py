"""The path below which the service is mounted, as WSGI servers are told it: SCRIPT_NAME."""

import os
import re
from functools import cache

from ragauth.config.values import SettingsError

# Segments that routers and browsers treat alike: none is empty, `.` or `..`, or has an escape.
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[0-9A-Za-z._~-]{1,100}){1,10}")


def is_prefix(text: str) -> bool:
    """Whether a text is a path to mount at: `/auth`, without a slash at the end."""
    return _PREFIX.fullmatch(text) is not None


@cache
def mounted_at() -> str:
    """SCRIPT_NAME of the environment; "" for none.

    It is removed from the environment: gunicorn reads it too, and would answer 500 for each path
    that does not begin with it, such as a probe of /healthz. Raises SettingsError if it is no path.
    """
    prefix = os.environ.pop("SCRIPT_NAME", "").strip().rstrip("/")
    if prefix and not is_prefix(prefix):
        raise SettingsError("SCRIPT_NAME: must be a path such as /auth")
    return prefix
