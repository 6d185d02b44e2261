"""docs/reliability.md names tests that are there, and every fault of `make soak`."""

import re

from tests.architecture.test_promises import TESTS, docstrings
from tests.cases import for_each
from tests.soak.faults import FAULTS

TEXT = (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
_TABLE = TEXT.split("\n## Faults\n")[1].split("\n## ")[0]
ROWS = {
    cells[0]: cells
    for line in _TABLE.splitlines()
    if line.startswith("| ") and len(cells := re.split(r" ?\| ?", line.strip("|").strip())) > 1
}
ROWS.pop("fault")


def soaked(text: str) -> list[str]:
    """The faults of the soak that a text names, in quotes."""
    lists = re.findall(r'soak:\s+("[^"]+"(?:, "[^"]+")*)', text)
    return re.findall(r'"([^"]+)"', " ".join(lists))


@for_each("fault", ROWS)
def test_a_fault_has_its_time_and_a_test_that_is_there(fault: str) -> None:
    row = ROWS[fault]
    assert len(row) == 4
    assert all(row)
    tests = re.findall(r"`([^`]+\.py[^`]*)`", row[-1])
    assert tests or soaked(row[-1])
    for test in tests:
        path, _, name = test.partition("::")
        assert (TESTS / path).is_file(), test
        assert name in docstrings(TESTS / path), test


def test_it_names_every_fault_of_the_soak_and_no_other() -> None:
    assert sorted(soaked(TEXT)) == sorted(fault.name for fault in FAULTS)
