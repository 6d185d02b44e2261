"""Hosts that count alone though no fault was injected: Redis did not answer them in time."""

import re
import time

from tests.soak.hosts import Host
from tests.soak.oracle import Oracle
from tests.soak.stage import Stage

_EVERY_SECONDS = 0.5
# Longer than what passes between a loss and the moment at which the metrics tell of it.
SEEN_WITHIN_SECONDS = 1.5
_LOST = re.compile(rb"^ragauth_redis_lost_total ([\d.e+]+)$", re.MULTILINE)
_STANDING_IN = re.compile(rb"^ragauth_redis_standing_in_workers ([\d.e+]+)$", re.MULTILINE)


class StandingIn:
    """Asks each host, by its metrics, how often it lost Redis and whether it counts alone.

    A machine that is busy keeps Redis from answering within a quarter of a second now and then.
    """

    def __init__(self, stage: Stage, oracle: Oracle) -> None:
        self._stage = stage
        self._oracle = oracle
        self._lost: dict[str, float] = {}
        self._asked_at = time.monotonic()

    def act(self) -> None:
        asked_at = time.monotonic()
        # Of all, whatever the first one says: each answer is what the next is compared with.
        alone = [host.name for host in self._stage.hosts if self._is_alone(host)]
        if alone:
            self._oracle.stood_alone(self._asked_at, time.monotonic())
        self._asked_at = asked_at
        time.sleep(_EVERY_SECONDS)

    def _is_alone(self, host: Host) -> bool:
        answer = host.ask("GET", "/metrics", give_up_seconds=5)
        if answer.status != 200:
            # One that is being restarted begins to count its losses at 0.
            self._lost.pop(host.name, None)
            return False
        lost, standing_in = (
            float(found[1]) if (found := pattern.search(answer.body)) else 0.0
            for pattern in (_LOST, _STANDING_IN)
        )
        before = self._lost.get(host.name, 0.0)
        self._lost[host.name] = lost
        return lost > before or standing_in > 0
