"""Folders for what tests download or make, which stay from one run to the next."""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_UNUSED_SECONDS = 7 * 86_400


def cache_folder(name: str) -> Path:
    """Return a folder outside of the project that no other user can write to."""
    folder = Path(tempfile.gettempdir()).resolve() / f"ragauth-{name}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise RuntimeError(f"{folder} is another user's")
    folder.chmod(0o700)
    return folder


def made_once(name: str, state: Iterable[Path | str], make: Callable[[Path], object]) -> Path:
    """Return a folder that `make` fills, once for each state of what it is made of.

    `state` names everything that may change it: files, which count by their names and contents,
    and texts. Two clones of the project have the same. What `make` raises is raised, and nothing is
    kept then.
    """
    home = cache_folder(name)
    target = home / _digest(state)
    with locked(home):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=home) as unfinished:
                made = Path(unfinished) / "made"
                made.mkdir()
                make(made)
                made.rename(target)
        os.utime(target)
        for other in home.iterdir():
            if other.is_dir() and other.stat().st_mtime < time.time() - _UNUSED_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
    return target


def _digest(state: Iterable[Path | str]) -> str:
    digest = hashlib.sha256()
    for each in state:
        told = each.read_bytes() if isinstance(each, Path) else each.encode()
        for part in (_name_of(each).encode() if isinstance(each, Path) else b"", told):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _name_of(path: Path) -> str:
    return str(path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only process that makes what belongs into a folder; others wait meanwhile."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
