"""Links, settings and routes that the documents name are there."""

import re
from pathlib import Path

from flask import Flask

from tests.docs.markdown import README, ROOT, anchors, each_document, prose
from tests.docs.settings import ENV_EXAMPLE, read_by_config

_SETTING = re.compile(r"\bRAGAUTH_[A-Z_]*[A-Z]\b")
# What the examples read, as clients of ragauth.
_EXAMPLES_OWN = {"RAGAUTH_URL", "RAGAUTH_SERVICE_KEY", "RAGAUTH_API"}
# What the documents tell of variables that are none.
_NO_SETTINGS = {
    *("RAGAUTH_DATABSE_URL", "RAGAUTH_PORT", "RAGAUTH_SERVICE_HOST", "RAGAUTH_REDIS_PORT"),
    # Of an earlier version; the start says what to do now.
    "RAGAUTH_PLANS_FILE",
}
_METHODS = {"GET", "POST", "PATCH", "PUT", "DELETE"}
# The page's own files, which nobody calls by hand.
_UNLISTED = "/docs/"


def _first_cells(text: str) -> list[str]:
    return re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)


def _cells(line: str) -> int:
    """How many cells a row has; 0 of a line that is no row."""
    bars = len(re.findall(r"(?<!\\)\|", line))
    return bars - 1 if line.startswith("|") and line.rstrip().endswith("|") else 0


def _section(title: str) -> str:
    text = prose(README)
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


class TestLinks:
    @each_document
    def test_each_leads_somewhere(self, document: Path) -> None:
        astray = []
        for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (document.parent / name).resolve() if name else document
            if not target.exists() or (anchor and anchor not in anchors(target)):
                astray.append(link)
        assert astray == []

    def test_the_readme_has_some(self) -> None:
        assert len(re.findall(r"\]\(docs/", prose(README))) > 5
        assert "ten-minutes-to-a-protected-api" in anchors(README)


class TestTables:
    @each_document
    def test_each_row_has_the_cells_of_its_head(self, document: Path) -> None:
        """A row that was wrapped, or joined to the next one, is none."""
        uneven = []
        text = re.sub(r"<!--.*?-->", "", prose(document), flags=re.DOTALL)
        for block in re.split(r"\n(?:[ \t]*\n)+", text):
            lines = block.strip().splitlines()
            if len(lines) < 2 or not re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", lines[1]):
                continue
            uneven += [line for line in lines if _cells(line) != _cells(lines[1])]
        assert uneven == []


class TestSettings:
    @each_document
    def test_each_that_is_named_is_read(self, document: Path) -> None:
        named = set(_SETTING.findall(document.read_text(encoding="utf-8")))
        assert named - read_by_config() - _EXAMPLES_OWN - _NO_SETTINGS == set()

    def test_each_that_is_read_is_in_the_readmes_table(self) -> None:
        listed = " · ".join(_first_cells(_section("Settings")))
        assert set(re.findall(r"\b[A-Z_]{4,}\b", listed)) == read_by_config()

    def test_each_that_is_read_reaches_the_container(self) -> None:
        compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
        environment = compose.split("\n  environment:\n")[1].split("\nservices:\n")[0]
        given = re.findall(r"^    ([A-Z_]+):", environment, re.MULTILINE)
        assert sorted(given) == sorted(read_by_config())

    def test_each_that_is_read_is_in_the_example_of_an_env_file(self) -> None:
        assert set(ENV_EXAMPLE) == read_by_config() | {"POSTGRES_PASSWORD"}


def _listed_routes() -> set[tuple[str, str]]:
    """Method and path of the README's table: `GET · POST /a · /b, DELETE /c` below `/base`."""
    routes = set()
    base = ""
    for cell in _first_cells(_section("Routes")):
        if heading := re.fullmatch(r"\*\*`(.+)`\*\*", cell):
            base = heading[1].rstrip("/")
            continue
        methods: list[str] = []
        afresh = True
        for word in cell.replace("any method", "GET").replace(",", " ").split():
            if word in _METHODS:
                methods = [word] if afresh else [*methods, word]
                afresh = False
            elif word.startswith("/"):
                routes |= {(method, _anonymous(base + word.rstrip("/"))) for method in methods}
                afresh = True
    return routes


def _anonymous(path: str) -> str:
    return re.sub(r"\{[^}]*\}|<[^>]*>", "{}", path.rstrip("/"))


def _served_routes(app: Flask) -> set[tuple[str, str]]:
    return {
        # `authorize` takes any method.
        (method, _anonymous(rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith(_UNLISTED)
        for method in (rule.methods or set()) & _METHODS
        if method == "GET" or "/authorize" not in rule.rule
    }


class TestRoutes:
    def test_each_of_the_readme_is_served(self, sqlite_app: Flask) -> None:
        listed = _listed_routes()
        assert len(listed) > 40
        assert listed - _served_routes(sqlite_app) == set()

    def test_each_that_is_served_is_in_the_readme(self, sqlite_app: Flask) -> None:
        assert _served_routes(sqlite_app) - _listed_routes() == set()
