"""Which process of a run takes which file next.

The files of one room share what takes long to start: a browser, a service, a database. So a process
stays in its room while there is something left in it, and then goes to where the most is left. Half
of the processes are in rooms whose tests wait more than they compute, so that the others have the
cores; who has nothing left of its kind helps the others. The longest file of a room comes first, so
that all processes are done at about the same time. Nothing but the order comes from the seconds
told here.
"""

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

if TYPE_CHECKING:
    from xdist.remote import Producer

# Folders and files that are in one room. Each other folder of the tests is a room of its own.
_ROOMS = {
    "dashboard/": "browser",
    "console/": "browser",
    "e2e/test_docs_in_a_browser.py": "browser",
    "docs/test_site.py": "browser",
    "clients_typescript/": "node",
    "generated/": "node",
    "e2e/unkey/": "node",
    "compat/": "api",
}
# Whose tests wait for servers, and for time to pass.
_WAITING = {"e2e", "examples", "counters", "worker"}
# How long one test of a room takes, in seconds on two cores.
_SECONDS = {"browser": 0.5, "node": 0.3, "e2e": 0.5, "examples": 0.4}
_SECONDS_ELSEWHERE = 0.1
# And the files whose tests take longer than others of their room.
_SECONDS_OF_FILES = {
    "docs/test_readme_walk.py": 4,
    "docs/test_site.py": 8,
    "dashboard/test_dialogs.py": 10,
    "dashboard/test_walk.py": 10,
    "e2e/test_clock_steps.py": 12,
    "e2e/test_database_frozen.py": 8,
    "e2e/test_exact_key_limits.py": 4,
    "e2e/test_exact_limits.py": 4,
    "e2e/test_frozen_neighbours.py": 9,
    "e2e/test_installed.py": 25,
    "e2e/test_mail.py": 7,
    "e2e/test_no_gap.py": 30,
    "e2e/test_other_servers.py": 17,
    "e2e/test_postgres_failover.py": 4,
    "e2e/test_process_beside.py": 12,
    "e2e/test_redis_failover.py": 7,
    "e2e/test_rolling.py": 4,
    "e2e/test_shutdown.py": 9,
    "e2e/test_signing_keys.py": 5,
    "e2e/test_stuck_workers.py": 7,
    "examples/test_demo.py": 6,
    "examples/test_systemd.py": 6,
    "fuzz/test_document.py": 12,
    "generated/test_clients.py": 16,
    "scale/test_plans.py": 8,
}
NAMED = (*_ROOMS, *_SECONDS_OF_FILES)


class Rooms(LoadScopeScheduling):
    """Hands out whole files, those of one room to the same process."""

    def __init__(self, config: pytest.Config, log: "Producer | None" = None) -> None:
        super().__init__(config, log)
        self._room_of_node: dict[WorkerController, str] = {}

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        rooms = self._room_of_node
        seconds = {file: _seconds_of(file, len(tests)) for file, tests in self.workqueue.items()}
        left: dict[str, float] = {}
        for file in self.workqueue:
            left[_room_of(file)] = left.get(_room_of(file), 0.0) + seconds[file]
        if rooms.get(node) not in left:
            others = [room for other, room in rooms.items() if other is not node]
            may_wait = sum(room in _WAITING for room in others) < len(self.nodes) // 2
            rightly = {room for room in left if (room in _WAITING) is may_wait} or set(left)
            # One that nobody is in, if there is one; otherwise it helps where most is left.
            rooms[node] = max(rightly, key=lambda room: (room not in others, left[room]))
        files = [file for file in self.workqueue if _room_of(file) == rooms[node]]
        self.workqueue.move_to_end(max(files, key=seconds.__getitem__), last=False)
        super()._assign_work_unit(node)


def _room_of(file: str) -> str:
    path = file.removeprefix("tests/")
    for start, room in _ROOMS.items():
        if path.startswith(start):
            return room
    return path.partition("/")[0]


def _seconds_of(file: str, tests: int) -> float:
    known = _SECONDS_OF_FILES.get(file.removeprefix("tests/"))
    return known or tests * _SECONDS.get(_room_of(file), _SECONDS_ELSEWHERE)
