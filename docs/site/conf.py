"""The site of the documents: Sphinx reads the Markdown where it lies, and follows its links.

`docs/README.md` is the front page, and the order of its links is the order of the site.
"""

import re
from functools import partial
from pathlib import Path

from sphinx.application import Sphinx

from ragauth.version import VERSION

ROOT = Path(__file__).resolve().parents[2]

project = "ragauth"
version = release = VERSION
language = "en"
extensions = ["myst_parser"]
root_doc = "docs/README"
include_patterns = ["*.md", "docs/**.md", "examples/**.md", "clients/**.md", "bench/*.md"]
exclude_patterns = [".*", "build", "dist", "instance", "ragauth", "tests", "**/node_modules"]

# Headings have the anchors that GitHub gives them.
myst_heading_anchors = 4
# What is no program is shown as it is; a lexer that stumbles over an example is no fault of it.
highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"ragauth {VERSION}"
html_copy_source = False
html_show_sphinx = False
html_permalinks_icon = "#"
# `/` leads to the front page.
html_extra_path = ["index.html"]
html_use_index = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

_LINK = re.compile(r"\[([^\]]+)\]\(((?!\w+:)[^)#\s]+)\)")
_LINKED_PAGE = re.compile(r"\]\(((?!\w+:)[^)#\s]+)\.md\)")
# Those that its list does not name follow at its end.
_WITH_ALL_READMES = "Clients and examples"
_DECISIONS = "docs/adr/README"


def _prepare(_app: Sphinx, name: str, source: list[str]) -> None:
    """Do for the site what GitHub does by itself."""
    source[0] = _LINK.sub(partial(_open_folder, (ROOT / name).parent), source[0])
    _add_contents(name, source)


def _open_folder(beside: Path, link: re.Match[str]) -> str:
    """A link to a folder leads to its README; the site has no page of one without."""
    text, target = link.groups()
    if not (beside / target).is_dir():
        return link[0]
    readme = Path(target) / "README.md"
    return f"[{text}]({readme})" if (beside / readme).is_file() else text


def _add_contents(name: str, source: list[str]) -> None:
    """Name the pages of the site, which GitHub shows as folders or as links."""
    if name == root_doc:
        for caption, links in re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", source[0], re.MULTILINE):
            pages = [f"/{_from_root(page)}" for page in _LINKED_PAGE.findall(links)]
            if caption == _WITH_ALL_READMES:
                pages += [page for page in _readmes() if page not in pages]
            source[0] += _contents(pages, f":caption: {caption}\n:hidden:\n:maxdepth: 1\n")
    elif name == _DECISIONS:
        source[0] += _contents(["*"], ":glob:\n:maxdepth: 1\n")


def _readmes() -> list[str]:
    found = [*ROOT.glob("clients/*/*.md"), *ROOT.glob("examples/*/README.md")]
    return [f"/{path.relative_to(ROOT).with_suffix('').as_posix()}" for path in sorted(found)]


def _from_root(page: str) -> str:
    return (ROOT / "docs" / page).resolve().relative_to(ROOT).as_posix()


def _contents(pages: list[str], options: str) -> str:
    names = "\n".join(pages)
    return f"\n```{{toctree}}\n{options}\n{names}\n```\n"


def setup(app: Sphinx) -> None:
    app.connect("source-read", _prepare)
