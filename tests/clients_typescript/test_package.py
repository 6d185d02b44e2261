"""What is published, and what it is made from."""

import json
import re
import tarfile
from pathlib import Path

from tests.clients_typescript.packages import PACKAGE, TYPES, read_document, types_of

_ENTRIES = {"index", "express", "hono", "webhooks"}


def test_the_package_has_its_modules_with_types_and_texts_and_nothing_else(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    texts = {"package.json", "README.md", "LICENSE", "CHANGELOG.md"}
    modules = {path.stem for path in (PACKAGE / "src").glob("*.ts")}
    assert names == texts | {f"dist/{name}.{kind}" for name in modules for kind in ("js", "d.ts")}
    assert modules >= _ENTRIES


def test_it_depends_on_nothing_and_asks_for_nothing_when_installed() -> None:
    package = json.loads((PACKAGE / "package.json").read_text())
    assert not package.keys() & {"dependencies", "peerDependencies", "optionalDependencies"}
    assert set(package["scripts"]) == {"build", "prepack"}
    sources = [path.read_text() for path in (PACKAGE / "src").glob("*.ts")]
    imported = {name for text in sources for name in re.findall(r'from "([^"]+)"', text)}
    assert {name for name in imported if not name.startswith("./")} == set()


def test_its_version_is_one_and_its_changelog_begins_with_it() -> None:
    version = json.loads((PACKAGE / "package.json").read_text())["version"]
    assert f'VERSION = "{version}"' in (PACKAGE / "src" / "version.ts").read_text()
    assert f"\n## {version} " in (PACKAGE / "CHANGELOG.md").read_text()


def test_its_types_are_those_of_the_document(tmp_path: Path) -> None:
    made = types_of(read_document(tmp_path))
    assert made == TYPES.read_text(encoding="utf-8"), "stale: make client-types writes them again"
