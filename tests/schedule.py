"""Which process of a run takes which file next.

The files of one room share what takes long to start: a browser, a service, a database. So a process
stays in its room while there is something left in it, and then goes to where the most is left. Half
of the processes, or one more than the others, are in rooms whose tests wait more than they compute,
so that the others have the cores; who has nothing left of its kind helps the others. The longest
file of a room comes first, so that all processes are done at about the same time. Nothing but the
order comes from the seconds told here.
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
_SECONDS = {
    "api": 0.05,
    "browser": 0.3,
    "counters": 0.05,
    "e2e": 0.35,
    "examples": 0.1,
    "node": 0.1,
    "scale": 0.4,
    "services": 0.05,
    "worker": 0.15,
}
_SECONDS_ELSEWHERE = 0.02
# And the files whose tests take longer than others of their room.
_SECONDS_OF_FILES = {
    "api/test_large_texts.py": 3,
    "clients_python/test_frameworks.py": 4,
    "clients_typescript/test_cases.py": 8,
    "console/test_console.py": 8,
    "console/test_files.py": 5,
    "counters/test_frozen.py": 4,
    "counters/test_redis_cluster.py": 5,
    "counters/test_redis_takeover.py": 10,
    "dashboard/test_dialogs.py": 9,
    "dashboard/test_looks.py": 4,
    "dashboard/test_tabs.py": 5,
    "dashboard/test_trouble.py": 5,
    "dashboard/test_walk.py": 10,
    "docs/test_readme_walk.py": 5,
    "docs/test_site.py": 6,
    "e2e/test_clock_steps.py": 12,
    "e2e/test_database_frozen.py": 8,
    "e2e/test_dead_sessions.py": 4,
    "e2e/test_docs_in_a_browser.py": 9,
    "e2e/test_exact_key_limits.py": 5,
    "e2e/test_exact_limits.py": 5,
    "e2e/test_frozen_neighbours.py": 9,
    "e2e/test_installed.py": 13,
    "e2e/test_mail.py": 6,
    "e2e/test_no_gap.py": 14,
    "e2e/test_no_secret_is_written.py": 5,
    "e2e/test_other_servers.py": 12,
    "e2e/test_pooler.py": 5,
    "e2e/test_postgres_failover.py": 9,
    "e2e/test_process_beside.py": 15,
    "e2e/test_redis_failover.py": 7,
    "e2e/test_rolling.py": 8,
    "e2e/test_short_memory.py": 4,
    "e2e/test_shutdown.py": 11,
    "e2e/test_signing_keys.py": 6,
    "e2e/test_slow_clients.py": 13,
    "e2e/test_stuck_workers.py": 7,
    "examples/test_caddy.py": 4,
    "examples/test_demo.py": 12,
    "examples/test_kubernetes.py": 5,
    "examples/test_metering.py": 4,
    "examples/test_quickstart.py": 3,
    "examples/test_streamed_answers.py": 7,
    "examples/test_systemd.py": 10,
    "examples/test_traefik.py": 4,
    "fuzz/test_document.py": 5,
    "generated/test_clients.py": 10,
    "servers/test_servers.py": 4,
    "services/test_postgres_waits.py": 10,
    "worker/test_worker_waits.py": 6,
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
            may_wait = sum(room in _WAITING for room in others) < (len(self.nodes) + 1) // 2
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
