"""The client's package: its types made from the application's document, built and packed."""

import json
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.conftest import make_settings, running_app
from tests.servers.gunicorn import PROJECT_ROOT
from tests.servers.node import install_packages, run

PACKAGE = PROJECT_ROOT / "clients" / "typescript"
TYPES = PACKAGE / "src" / "openapi.ts"


def pack(folder: Path) -> Path:
    """Build the package in a folder that finds its tools; returns the tarball."""
    copy = folder / "package"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("dist", "node_modules", "*.tgz"))
    packed = json.loads(run("npm", "pack", "--json", "--loglevel", "error", folder=copy))
    return copy / packed[0]["filename"]


def unpack(tarball: Path, project: Path) -> None:
    """Have the package in a project, as npm installs it."""
    target = project / "node_modules" / "@ragauth" / "client"
    with tempfile.TemporaryDirectory(dir=project) as name, tarfile.open(tarball) as archive:
        archive.extractall(name, filter="data")
        target.parent.mkdir(parents=True)
        (Path(name) / "package").rename(target)


def make_types(folder: Path) -> str:
    """The types of the application's document, made in a folder that has the npm packages."""
    script = shutil.copy(PACKAGE / "scripts" / "types.js", folder)
    document = folder / "openapi.json"
    document.write_text(_document(folder), encoding="utf-8")
    return run("node", script, str(document), folder=folder)


def _document(folder: Path) -> str:
    settings = make_settings(folder / "instance", f"sqlite:///{folder}/empty.db")
    with running_app(settings) as app:
        return app.test_client().get("/openapi.json").get_data(as_text=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        install_packages(Path(name))
        TYPES.write_text(make_types(Path(name)), encoding="utf-8")
    sys.stderr.write(f"{TYPES.relative_to(PROJECT_ROOT)} is written\n")
