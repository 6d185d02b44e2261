"""Which process of a run takes which file: one of its own room, the longest first."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.schedule import NAMED, Rooms

_TESTS = Path(__file__).parents[1]


def test_the_files_that_are_named_are_there() -> None:
    assert [name for name in NAMED if not (_TESTS / name).exists()] == []


class Node:
    """A process of a run, and the tests that it was given."""

    def __init__(self, collected: Sequence[str]) -> None:
        self._collected = collected
        self.files: list[str] = []

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        (file,) = {self._collected[index].partition("::")[0] for index in indices}
        self.files.append(file.removeprefix("tests/"))


def _give(counts: dict[str, int], turns: Sequence[int]) -> list[list[str]]:
    """What each process got when they asked in this order; `counts` are tests of a file."""
    queue = OrderedDict(
        (f"tests/{file}", {f"tests/{file}::{number}": False for number in range(count)})
        for file, count in counts.items()
    )
    collected = [test for tests in queue.values() for test in tests]
    nodes = [Node(collected) for _ in set(turns)]
    rooms: Any = Rooms.__new__(Rooms)
    rooms.workqueue, rooms._room_of_node = queue, {}
    rooms.assigned_work = {node: OrderedDict() for node in nodes}
    rooms.registered_collections = dict.fromkeys(nodes, collected)
    for turn in turns:
        rooms._assign_work_unit(nodes[turn])
    return [node.files for node in nodes]


def test_each_process_has_a_room_and_takes_its_longest_file_first() -> None:
    counts = {"api/a.py": 10, "e2e/a.py": 1, "e2e/b.py": 9, "api/b.py": 20, "cli/a.py": 1}
    given = _give(counts, [0, 1, 1, 0])
    assert given == [["e2e/b.py", "e2e/a.py"], ["api/b.py", "api/a.py"]]


def test_who_has_nothing_left_goes_where_nobody_is_and_then_where_most_is_left() -> None:
    counts = {"api/a.py": 30, "api/b.py": 20, "api/c.py": 10, "cli/a.py": 9, "unit/a.py": 1}
    assert _give(counts, [0, 1, 1, 1, 0]) == [
        ["api/a.py", "api/c.py"],
        ["cli/a.py", "unit/a.py", "api/b.py"],
    ]


def test_half_of_the_processes_wait_while_the_others_compute() -> None:
    counts = {f"e2e/{name}.py": 10 for name in "abcdef"} | {"unit/a.py": 1, "unit/b.py": 2}
    given = _give(counts, [0, 1, 2, 3, 3, 1, 2])
    assert [files[0] for files in given] == ["e2e/a.py", "e2e/b.py", "unit/b.py", "unit/a.py"]
    assert [files[1:] for files in given] == [[], ["e2e/d.py"], ["e2e/e.py"], ["e2e/c.py"]]


def test_of_an_odd_number_one_more_waits() -> None:
    counts = {f"e2e/{name}.py": 10 for name in "abc"} | {"unit/a.py": 1}
    assert _give(counts, [0, 1, 2]) == [["e2e/a.py"], ["e2e/b.py"], ["unit/a.py"]]
