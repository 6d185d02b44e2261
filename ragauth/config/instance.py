"""The instance: the folder with the files of one installation, and who may create it."""

import secrets
from pathlib import Path

from ragauth.config.secret_file import FILE_NAME, MIN_SECRET_BYTES, UNUSABLE, embedded_secret_key
from ragauth.config.server import is_explaining, may_make_instance
from ragauth.config.values import SettingsError
from ragauth.place import PROGRAM, find_checkout


def default_instance_dir() -> Path:
    """`instance/` beside wsgi.py in a checkout, else in the current folder."""
    return (find_checkout() or Path.cwd()) / "instance"


def open_instance(folder: Path, *, database_file: Path | None, needs_secret: bool) -> bytes:
    """The instance's own secret, empty unless it `needs_secret`.

    A serving process, and `flask db upgrade`, create the folder (mode 0700) and the secret if they
    are missing. For any other command a missing folder probably means a wrong path, so it raises
    SettingsError.
    """
    if is_explaining():
        # It reads no data, so it must not create anything.
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
                f" RAGAUTH_INSTANCE_DIR, or make one with `{PROGRAM} db upgrade`"
            )
    return embedded_secret_key(folder) if needs_secret else b""
