"""`make docs`: one site of all documents, that asks nothing of any other place."""

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.markdown import DOCUMENTS, ROOT
from tests.servers.caches import made_once
from tests.servers.chromium import find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_RECIPE = re.search(r"^\t\$\(BIN\)/python -m sphinx (.+)$", (ROOT / "Makefile").read_text(), re.M)
# `python -m sphinx`, which looks for garbage a fourth of its time.
_SPHINX = """
import gc, os, runpy, sys
gc.disable()
sys.path[0] = os.getcwd()
runpy.run_module("sphinx", run_name="__main__", alter_sys=True)
"""
_PROGRAMS = ("sphinx", "furo", "myst-parser", "docutils", "markdown-it-py", "pygments")
# What a browser asks for by itself, and by which attribute.
_LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """The ids, the links and what is loaded of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids.add(given.get("id") or "")
        if tag == "a":
            self.links.append(given.get("href") or "")
        elif address := given.get(_LOADED.get(tag, "")):
            self.loaded.append(address)

    def targets(self) -> list[tuple[str, Path, str]]:
        """The links into the site: as they stand, the file, and the anchor in it."""
        found = []
        for link in self.links:
            parts = urlsplit(link)
            if not parts.scheme:
                name = unquote(parts.path)
                file = Path(os.path.normpath(self.path.parent / name)) if name else self.path
                found.append((link, file, unquote(parts.fragment)))
        return found


def test_the_site_is_whole_and_asks_nothing_of_other_places(
    request: pytest.FixtureRequest,
) -> None:
    """One test, so that the site is made once."""
    site = find_site()
    pages = {path: Page(path) for path in site.rglob("*.html")}
    each_document_is_a_page(site, pages)
    each_link_leads_somewhere(site, pages)
    nothing_is_loaded_from_elsewhere(site, pages)
    if find_chromium():
        the_search_finds_pages_without_any_server(site, request.getfixturevalue("browser"))


def find_site() -> Path:
    """The site, made as `make docs` makes it, once for each state of what it is made of."""
    return made_once("site", what_it_is_made_of(), make_site) / "site"


def what_it_is_made_of() -> Iterator[Path | str]:
    """The recipe, the programs, what is read, and the names of what can be linked."""
    yield repr(_RECIPE and _RECIPE[1])
    yield from (f"{name} {importlib.metadata.version(name)}" for name in _PROGRAMS)
    yield from (Path(__file__), ROOT / "ragauth" / "version.py")
    for folder in ("docs", "bench", "clients", "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and not {"__pycache__", "node_modules"} & set(path.parts):
                is_read = path.suffix == ".md" or path.parent.name == "site"
                yield path if is_read else str(path.relative_to(ROOT))
    for path in sorted(ROOT.glob("[!.]*")):
        yield path if path.suffix == ".md" else path.name


def make_site(folder: Path) -> None:
    assert _RECIPE
    recipe = _RECIPE[1].replace("build/", f"{folder}/").split()
    made = subprocess.run(
        [sys.executable, "-c", _SPHINX, *recipe],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr


def each_document_is_a_page(site: Path, pages: dict[Path, Page]) -> None:
    documents = {path.relative_to(ROOT).with_suffix(".html") for path in DOCUMENTS}
    assert documents - {path.relative_to(site) for path in pages} == set()
    assert (site / "index.html").is_file()


def each_link_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    files = {path for path in site.rglob("*") if path.is_file()}
    followed = [(page.path, *target) for page in pages.values() for target in page.targets()]
    assert len(followed) > 1000
    astray = {
        (page.name, link)
        for page, link, file, anchor in followed
        if file not in files or (anchor and file in pages and anchor not in pages[file].ids)
    }
    assert astray == set()


def nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    loaded = [address for page in pages.values() for address in page.loaded]
    assert len(loaded) > 100
    assert [address for address in loaded if urlsplit(address).netloc] == []
    for sheet in site.rglob("*.css"):
        told = sheet.read_text(encoding="utf-8")
        assert re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//[^)'\"]+", told) == []


def the_search_finds_pages_without_any_server(site: Path, browser: "Browser") -> None:
    """A file server can do no more than the disk, from which the pages are read here."""
    with browser.new_context() as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "search.html").as_uri() + "?q=PgBouncer")
        found = page.locator("ul.search > li > a", has_text="Running ragauth")
        found.first.click()
        assert page.title().startswith("Running ragauth")
        assert [url for url in asked if not url.startswith("file:")] == []
