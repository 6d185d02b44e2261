"""The settings file: settings outside the environment, which a running service can read again."""

import re
from pathlib import Path

from ragauth.config.values import SettingsError

SETTINGS_FILE = "RAGAUTH_SETTINGS_FILE"
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)", re.ASCII)
_QUOTED = re.compile(r"""(["'])(.*)\1""")


def read_settings_file(place: str) -> dict[str, str]:
    """The variables of a file with `NAME=value` in each line, as `docker compose` reads one.

    Empty lines and those that begin with # are ignored; quotes around a whole value are dropped.
    Raises SettingsError, which shows no text of the file, because it contains secrets.
    """
    path = Path(place)
    try:
        path = path.expanduser()
        lines = path.read_text(encoding="utf-8").splitlines()
    except RuntimeError:
        raise SettingsError(f"{SETTINGS_FILE}: there is no home folder for {path}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{SETTINGS_FILE}: {path} is not UTF-8 text") from None
    except OSError as error:
        raise SettingsError(f"{SETTINGS_FILE}: cannot read {path}: {error.strerror}") from error
    variables = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        if (found := _LINE.fullmatch(line)) is None:
            raise SettingsError(f"{SETTINGS_FILE}: line {number} of {path} is not NAME=value")
        name, value = found[1], found[2].strip()
        quoted = _QUOTED.fullmatch(value)
        variables[name] = quoted[2] if quoted else value
    return variables
