"""Tar files that tests unpack."""

import tarfile
from pathlib import Path
from typing import Any


def unpack_tar(path: Path, folder: Path) -> None:
    """Unpack it into a folder, and nothing outside of that."""
    with tarfile.open(path) as archive:
        # Before 3.11.4 Python had no such filter.
        either: Any = archive
        either.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        archive.extractall(folder)  # noqa: S202 - what tests unpack is our own
