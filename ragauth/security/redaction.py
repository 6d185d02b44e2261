"""What no log line, history or error may hold: text that is, or may be, a credential."""

import re

# The shortest credential is longer; what is shorter costs no search.
_LENGTH_OF_A_SECRET = 40
_MAY_BE_A_SECRET = re.compile(rf"[A-Za-z0-9._-]{{{_LENGTH_OF_A_SECRET},}}")
_RESEMBLES_A_CREDENTIAL = re.compile(
    r"[a-z][a-z0-9]{1,15}_(?:live|test|pub|svc)_[A-Za-z0-9]{36}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
)
_REDACTED = "***"


def redact_path(path: str) -> str:
    """A path without whatever is as long as a key or a token: it should never carry one."""
    if len(path) < _LENGTH_OF_A_SECRET:
        return path
    return _MAY_BE_A_SECRET.sub(_REDACTED, path)


def redact_credentials(text: str) -> str:
    """A text that may well be long, without what has the form of a key or a token."""
    if len(text) < _LENGTH_OF_A_SECRET:
        return text
    return _RESEMBLES_A_CREDENTIAL.sub(_REDACTED, text)
