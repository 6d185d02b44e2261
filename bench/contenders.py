"""Contenders that have their turns in one run: what each is asked, and what its turns showed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

from bench import processes, wrk
from bench.figures import Figure
from bench.population import Installation
from bench.setting import Setting
from tests.servers.gunicorn import GunicornServer

# What was in flight as wrk ended is answered: this contender's work, not the next one's.
_SETTLE_SECONDS = 0.3
_IDLE_SHARE = 0.2
_MOST_SETTLING_SECONDS = 15
_LOOK_SECONDS = 0.5
_FEWEST_REQUESTS = wrk.CONNECTIONS * 2
# What is slow is answered a few times at least.
_SLOW_SECONDS = 20.0
_WARM_UP_SECONDS = 2.0
_MOST_SECONDS_TO_SAVE = 60


@dataclass(slots=True)
class Contender:
    """One server with one kind of question, and what its turns have shown.

    `pid` is the server's first process; `installation` is where its requests are counted, if they
    are; `apart` has the processes whose CPU stands apart, by name.
    """

    questions: wrk.Questions
    pid: int
    installation: Installation | None = None
    apart: Mapping[str, Callable[[], list[int]]] = field(default_factory=dict)
    least_seconds: float = 1.0
    loads: list[wrk.Load] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    apart_cpus: dict[str, list[float]] = field(default_factory=dict)

    def warm_up(self) -> None:
        """Ask for a while without keeping the figures: a month begins with a read of its own."""
        wrk.require_status(self.questions)
        load = self._ask_until_saved(_WARM_UP_SECONDS)
        if load.requests < _FEWEST_REQUESTS:
            self.least_seconds = _SLOW_SECONDS

    def run(self, setting: Setting) -> None:
        """Measure one turn, with the saving of all that it counted."""
        counts = self.installation is not None
        own, others = self._cpu(), self._apart()
        seconds = setting.counting_seconds if counts else setting.seconds
        load = self._ask_until_saved(max(seconds, self.least_seconds))
        if not load.requests:
            raise RuntimeError(f"{self.questions.path}: no answer in {load.seconds:.0f} s")
        self.cpus.append((self._cpu() - own) / load.requests * 1e6)
        for name, seconds in self._apart().items():
            cpu = (seconds - others[name]) / load.requests * 1e6
            self.apart_cpus.setdefault(name, []).append(cpu)
        self.loads.append(load)

    def _ask_until_saved(self, seconds: float) -> wrk.Load:
        before = self._counted()
        load = wrk.run(self.questions, seconds=seconds)
        self._settle()
        if self.installation is None:
            return load
        deadline = time.monotonic() + _MOST_SECONDS_TO_SAVE
        while (counted := self._counted() - before) < load.requests:
            if time.monotonic() > deadline:
                raise RuntimeError(f"wrk saw {load.requests} answers, {counted} were saved")
            time.sleep(_LOOK_SECONDS)
        # What was in flight at the end of this run and of the one before is counted as well.
        if counted > load.requests + 2 * wrk.CONNECTIONS:
            raise RuntimeError(f"wrk saw {load.requests} answers, but {counted} were saved")
        return load

    def _settle(self) -> None:
        """Wait until the server has nothing to do."""
        deadline = time.monotonic() + _MOST_SETTLING_SECONDS
        while time.monotonic() < deadline:
            before = self._cpu()
            time.sleep(_SETTLE_SECONDS)
            if self._cpu() - before < _SETTLE_SECONDS * _IDLE_SHARE:
                return

    def _counted(self) -> int:
        return 0 if self.installation is None else self.installation.counted_requests()

    def _cpu(self) -> float:
        return processes.cpu_seconds(processes.family(self.pid))

    def _apart(self) -> dict[str, float]:
        return {name: processes.cpu_seconds(pids()) for name, pids in self.apart.items()}

    @property
    def per_second(self) -> float:
        """Requests a second, the median of the turns."""
        return median(load.per_second for load in self.loads)

    @property
    def cpu(self) -> float:
        """CPU microseconds of a request, the median of the turns."""
        return median(self.cpus)

    @property
    def p99(self) -> float:
        """Seconds, the median of the turns' 99th percentiles."""
        return median(load.p99 for load in self.loads)

    def describe(self, name: str) -> str:
        """A line with the values behind the ratios."""
        low, high = (pick(load.per_second for load in self.loads) for pick in (min, max))
        parts = [
            f"{self.per_second:,.0f} requests/s ({low:,.0f} to {high:,.0f})",
            f"{self.cpu:.0f} µs of CPU a request",
            *(f"{median(cpus):.0f} µs of {other}'s own" for other, cpus in self.apart_cpus.items()),
            f"p50 {median(load.p50 for load in self.loads) * 1000:.2f} ms",
            f"p99 {self.p99 * 1000:.2f} ms",
        ]
        return f"{name}: {', '.join(parts)}"


def interleave(contenders: Mapping[str, Contender], setting: Setting) -> list[str]:
    """Measure all of them in turn, round after round; returns a line on each."""
    for contender in contenders.values():
        contender.warm_up()
    for _ in range(setting.rounds):
        for contender in contenders.values():
            contender.run(setting)
    return [contender.describe(name) for name, contender in contenders.items()]


def cpu_ratio(name: str, one: Contender, other: Contender, at_most: float) -> Figure:
    """The CPU of one for a request ÷ the other's."""
    return Figure(f"{name}: CPU", one.cpu / other.cpu, at_most=at_most)


def rate_ratio(name: str, one: Contender, other: Contender, at_least: float) -> Figure:
    """Requests a second of one ÷ the other's."""
    return Figure(f"{name}: requests/s", one.per_second / other.per_second, at_least=at_least)


def key_questions(
    server: GunicornServer, installation: Installation, setting: Setting, *, path: str
) -> wrk.Questions:
    """A question with the keys that are asked, drawn from all of the installation's."""
    file = setting.folder / f"keys-{server.pid}"
    wrk.write_lines(file, ((key, "") for key in installation.sample(setting.asked_keys)))
    return wrk.Questions(server.url, "GET", path, file)
