"""README.md's figures are those of bench/results.md, as `make bench` wrote them."""

import re

import pytest

from bench import results
from tests.docs.markdown import README

TEXT = README.read_text(encoding="utf-8")


class TestFigures:
    def test_the_readme_shows_those_of_the_results(self) -> None:
        shown = TEXT.split(results.BEGIN)[1].split(results.END)[0].strip()
        assert shown == results.for_readme(results.PATH.read_text(encoding="utf-8"))

    def test_the_readme_has_no_others(self) -> None:
        section = TEXT.split("\n## How fast\n")[1].split("\n## ")[0]
        before, _, rest = section.partition(results.BEGIN)
        written = before + rest.partition(results.END)[2]
        assert re.findall(r"\d+\.\d+|\d+ (?:µs|ms|MiB)", written) == []

    def test_a_row_that_is_gone_is_told(self) -> None:
        text = results.PATH.read_text(encoding="utf-8")
        without = re.sub(r"^\| accepts of a dead key.*\n", "", text, flags=re.MULTILINE)
        with pytest.raises(RuntimeError, match="accepts of a dead key"):
            results.for_readme(without)
