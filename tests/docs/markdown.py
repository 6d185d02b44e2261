"""The documents and the parts of them that the tests look at."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.cases import for_each

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
    *sorted((ROOT / "clients").glob("*/*.md")),
]
README = ROOT / "README.md"

each_document = for_each("document", DOCUMENTS)

_FENCE = re.compile(r"^(?:<!-- ([^\n]*) -->\n)?```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: the comment right above it, what stands behind the fence, and its text."""

    comment: str
    info: str
    text: str


def blocks(path: Path) -> list[Block]:
    return [Block(*match) for match in _FENCE.findall(path.read_text(encoding="utf-8"))]


def prose(path: Path) -> str:
    """The document without its fenced blocks."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """What GitHub calls the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
