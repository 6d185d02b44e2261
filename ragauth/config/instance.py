"""The instance: the folder with what one installation owns, and who may make it."""

import secrets
from pathlib import Path

from ragauth.config.secret_file import FILE_NAME, MIN_SECRET_BYTES, UNUSABLE, embedded_secret_key
from ragauth.config.server import is_explaining, may_make_instance
from ragauth.config.values import SettingsError

_PROJECT = Path(__file__).parents[2]
_INSTALLED = ("site-packages", "dist-packages")


def default_instance_dir() -> Path:
    """`instance/` beside wsgi.py in a checkout, else in the present folder."""
    is_checkout = _PROJECT.name not in _INSTALLED and (_PROJECT / "wsgi.py").is_file()
    return (_PROJECT if is_checkout else Path.cwd()) / "instance"


def open_instance(folder: Path, *, database_file: Path | None, needs_secret: bool) -> bytes:
    """The instance's own secret, empty unless it `needs_secret`.

    A process that serves, and `flask db upgrade`, make the folder (mode 0700) and the secret where
    these are missing. Any other command would work on another installation than the one that is
    meant, and raises SettingsError.
    """
    if is_explaining():
        # It looks at no data; nothing that it could leave behind must be made.
        return secrets.token_bytes(MIN_SECRET_BYTES)
    if may_make_instance():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(UNUSABLE.format(folder, error.strerror)) from error
    else:
        needed = [folder, database_file, folder / FILE_NAME if needs_secret else None]
        missing = [path for path in needed if path is not None and not path.exists()]
        if missing:
            raise SettingsError(
                f"there is no instance in {folder} ({missing[0]} is missing): set"
                " RAGAUTH_INSTANCE_DIR, or make one with `flask --app wsgi db upgrade`"
            )
    return embedded_secret_key(folder) if needs_secret else b""
