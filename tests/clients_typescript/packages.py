"""The client's package: its types made from the application's document, built and packed."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.applications import make_settings, running_app
from tests.archives import unpack_tar
from tests.servers.caches import made_once
from tests.servers.gunicorn import PROJECT_ROOT
from tests.servers.node import PINNED, install_packages, run

PACKAGE = PROJECT_ROOT / "clients" / "typescript"
TYPES = PACKAGE / "src" / "openapi.ts"


_NOT_SOURCES = ("dist", "node_modules", "*.tgz")


def sources_of_package() -> list[Path]:
    """Its files, without what is made of them."""
    made = {"dist", "node_modules"}
    return [
        path
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and path.suffix != ".tgz" and not made & set(path.parts)
    ]


def pack(folder: Path) -> Path:
    """Build the package in a folder that finds its tools; returns the tarball."""
    copy = folder / "package"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns(*_NOT_SOURCES))
    packed = json.loads(run("npm", "pack", "--json", "--loglevel", "error", folder=copy))
    return copy / packed[0]["filename"]


def unpack(tarball: Path, project: Path) -> None:
    """Have the package in a project, as npm installs it."""
    target = project / "node_modules" / "@ragauth" / "client"
    with tempfile.TemporaryDirectory(dir=project) as name:
        unpack_tar(tarball, Path(name))
        target.parent.mkdir(parents=True)
        (Path(name) / "package").rename(target)


def types_of(document: str) -> str:
    """The types of the application's document, made once for each state of it."""

    def make(folder: Path) -> None:
        install_packages(folder)
        told = folder / "openapi.json"
        told.write_text(document, encoding="utf-8")
        made = run("node", shutil.copy(script, folder), str(told), folder=folder)
        (folder / TYPES.name).write_text(made, encoding="utf-8")

    script = PACKAGE / "scripts" / "types.js"
    kept = made_once("types", [Path(__file__), script, *PINNED, document], make)
    return (kept / TYPES.name).read_text(encoding="utf-8")


def read_document(folder: Path) -> str:
    """The application's document; `folder` is for what it keeps."""
    settings = make_settings(folder / "instance", f"sqlite:///{folder}/empty.db")
    with running_app(settings) as app:
        return app.test_client().get("/openapi.json").get_data(as_text=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        TYPES.write_text(types_of(read_document(Path(name))), encoding="utf-8")
    sys.stderr.write(f"{TYPES.relative_to(PROJECT_ROOT)} is written\n")
