"""The embedded secret: a file in the instance folder, made at the first start."""

import os
import secrets
import tempfile
from pathlib import Path

from ragauth.config.values import SettingsError

MIN_SECRET_BYTES = 32
FILE_NAME = "secret_key"
UNUSABLE = "RAGAUTH_INSTANCE_DIR: cannot use {}: {}"


def embedded_secret_key(instance_dir: Path) -> bytes:
    """The installation's own secret, made at the first start, mode 0600.

    Two simultaneous first starts get the same secret: the file appears whole, by a hard link that
    only one of them can create.
    """
    path = instance_dir / FILE_NAME
    try:
        if not path.exists():
            descriptor, temporary = tempfile.mkstemp(dir=instance_dir, prefix=".secret_key-")
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
            try:
                os.link(temporary, path)
            except FileExistsError:
                pass  # another start was first; its secret is the one
            finally:
                os.unlink(temporary)
        secret_key = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(UNUSABLE.format(instance_dir, error.strerror)) from error
    if len(secret_key) < MIN_SECRET_BYTES:
        raise SettingsError(f"RAGAUTH_SECRET_KEY: the one in {path} is damaged")
    return secret_key
