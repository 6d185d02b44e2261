"""axe, which says whom a page shuts out."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

COLOURS_ALONE = "runOnly: ['color-contrast']"
ALL_BUT_COLOURS = "rules: {'color-contrast': {enabled: false}}"
# What it also tells of all that is well is longer than the page.
_RUN = """
axe.run(PART, {resultTypes: ["violations"], OPTIONS}).then(
  ({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]),
)
"""


def load_axe(page: "Page", node_modules: Path) -> None:
    """Have it in a page, as no element: a policy allows no script but the page's own."""
    page.evaluate((node_modules / "axe-core" / "axe.min.js").read_text("utf-8"))


def faults_of(page: "Page", options: str = "", part: str = "document") -> list[list[str]]:
    """The rules that a page breaks, each with the first place.

    `options` and `part` are of `axe.run`: which rules are asked for, and of what.
    """
    run = _RUN.replace("OPTIONS", options).replace("PART", part)
    found: list[list[str]] = page.evaluate(run)
    return found
