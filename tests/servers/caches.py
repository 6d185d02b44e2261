"""Folders for what tests download, which stay from one run to the next."""

import os
import tempfile
from pathlib import Path


def cache_folder(name: str) -> Path:
    """Return a folder outside of the project that no other user can write to."""
    folder = Path(tempfile.gettempdir()) / f"ragauth-{name}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise RuntimeError(f"{folder} is another user's")
    folder.chmod(0o700)
    return folder
