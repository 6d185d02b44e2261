"""The witness: what was promised, held against every answer, and what a fault excuses."""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from tests.soak.asking import Answer

HEALTH_SECONDS = 0.1
CHECK_SECONDS = 3.0
OTHERS_SECONDS = 10.0
# A machine that is busy delays every process: the bystander's longest answer, so many times.
_PATIENCE = 5
_AROUND_SECONDS = 1.0
_EXAMPLES = 5
NO_FAULT = "no fault"


class Excuse(Enum):
    """What may happen while a fault lasts, and for its `within_seconds` after it."""

    REFUSED = "requests are answered 503 with Retry-After"
    UNANSWERED = "connections end without an answer"
    SLOW = "answers take longer than promised"
    ALONE = "hosts count limits alone"
    COUNTS_LOST = "what was counted is lost"
    COUNTS_TWICE = "what was counted may be counted twice"


@dataclass
class Window:
    """The time of one fault, in `time.monotonic()` seconds; `ended` is None while it lasts."""

    name: str
    excuses: frozenset[Excuse]
    within_seconds: float
    began: float
    ended: float | None = None

    def covers(self, began: float, ended: float) -> bool:
        """Whether some of the time between lies in the fault or in the seconds after it."""
        over = None if self.ended is None else self.ended + self.within_seconds
        return ended >= self.began and (over is None or began <= over)


@dataclass(frozen=True)
class Broken:
    """One promise that was not kept, during which fault, and how."""

    promise: str
    fault: str
    text: str


@dataclass
class _Late:
    answer: Answer
    bound_seconds: float
    promise: str


@dataclass
class Oracle:
    """Collects what was seen; safe for threads.

    Examples of broken promises are kept up to five for each promise and fault; all are counted.
    """

    windows: list[Window] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    slowest_health_seconds: float = 0.0
    # When hosts said themselves that they counted alone.
    alone: deque[Window] = field(default_factory=lambda: deque(maxlen=1_000))
    _delays: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=10_000))
    _late: deque[_Late] = field(default_factory=deque)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # What happens to the service

    def begin(self, name: str, excuses: Iterable[Excuse], within_seconds: float) -> Window:
        """A fault begins; it lasts until `ended` is set."""
        window = Window(name, frozenset(excuses), within_seconds, time.monotonic())
        with self._lock:
            self.windows.append(window)
        return window

    def fault_at(self, began: float, ended: float) -> str:
        """The name of the fault that covers some of the time."""
        with self._lock:
            names = [window.name for window in self.windows if window.covers(began, ended)]
        return names[-1] if names else NO_FAULT

    def is_excused(self, excuse: Excuse, began: float, ended: float) -> bool:
        with self._lock:
            return any(window.covers(began, ended) for window in self.windows_with(excuse))

    def stood_alone(self, began: float, ended: float) -> None:
        """A host counted alone between these times, and lost or doubled nothing but counts."""
        excuses = frozenset({Excuse.ALONE, Excuse.COUNTS_TWICE})
        with self._lock:
            if self.alone and began - 1 <= (self.alone[-1].ended or began):
                self.alone[-1].ended = ended
            else:
                self.alone.append(Window("a host counts alone", excuses, 1.0, began, ended))

    def windows_with(self, excuse: Excuse) -> list[Window]:
        """The faults that excuse something."""
        with self._lock:
            return [window for window in (*self.windows, *self.alone) if excuse in window.excuses]

    def delayed(self, at: float, seconds: float) -> None:
        """The bystander, which does nothing but answer, took so long for an answer that began."""
        with self._lock:
            self._delays.append((at, seconds))

    # What is promised

    def broke(self, promise: str, text: str, began: float, ended: float) -> None:
        """Count a broken promise."""
        kind = (promise, self.fault_at(began, ended))
        with self._lock:
            self.counts[kind] += 1
            if len(self.examples[kind]) < _EXAMPLES:
                self.examples[kind].append(text)

    @property
    def broken(self) -> int:
        with self._lock:
            return self.counts.total()

    def hear(self, answer: Answer) -> None:
        """Hold an answer against what is promised of all of them."""
        fault = self.fault_at(answer.began, answer.ended)
        with self._lock:
            self.answers[fault][str(answer.status or "none")] += 1
        if answer.status is None:
            self._require(Excuse.UNANSWERED, "every request is answered", answer)
        elif answer.status == 503:
            self._require(Excuse.REFUSED, "no 503 without a fault that excuses it", answer)
            if not answer.headers.get("retry-after", "").isdecimal():
                self._broke("a 503 says when to come again", answer)
        elif answer.status >= 500:
            self._broke("never a 500", answer)
        if answer.status is not None and answer.status >= 400 and "code" not in answer.error:
            self._broke("a refusal has the envelope", answer)
        if answer.is_check:
            self._hold_time(answer, CHECK_SECONDS, "checks are answered within 3 s")
        else:
            self._hold_time(answer, OTHERS_SECONDS, "requests are answered within 10 s")

    def hear_health(self, answer: Answer) -> None:
        """Hold an answer of /healthz against its own, shorter time."""
        if answer.status is None:
            self._require(Excuse.UNANSWERED, "/healthz answers", answer)
            return
        if answer.status != 200:
            self._broke("/healthz answers 200 whatever is away", answer)
        self._hold_time(answer, HEALTH_SECONDS, "/healthz answers within 100 ms")

    def settle(self, *, all_of_them: bool = False) -> None:
        """Judge answers that were late, now that the bystander's time beside them is known."""
        with self._lock:
            while self._late and (all_of_them or self._late[0].answer.ended + 2 < time.monotonic()):
                self._judge_late(self._late.popleft())

    def _hold_time(self, answer: Answer, bound_seconds: float, promise: str) -> None:
        if answer.seconds > bound_seconds:
            with self._lock:
                self._late.append(_Late(answer, bound_seconds, promise))

    def _judge_late(self, late: _Late) -> None:
        began, ended = late.answer.began, late.answer.ended
        allowance = _PATIENCE * max(
            (
                seconds
                for at, seconds in self._delays
                if at + seconds >= began - _AROUND_SECONDS and at <= ended + _AROUND_SECONDS
            ),
            default=0.0,
        )
        is_excused = self.is_excused(Excuse.SLOW, began, ended)
        if late.answer.path == "/healthz" and not is_excused:
            excess = late.answer.seconds - allowance
            self.slowest_health_seconds = max(self.slowest_health_seconds, excess)
        if late.answer.seconds > late.bound_seconds + allowance and not is_excused:
            text = f"{late.answer} (the machine's own delay excuses {allowance:.2f} s)"
            self.broke(late.promise, text, began, ended)

    def _require(self, excuse: Excuse, promise: str, answer: Answer) -> None:
        if not self.is_excused(excuse, answer.began, answer.ended):
            self._broke(promise, answer)

    def _broke(self, promise: str, answer: Answer) -> None:
        self.broke(promise, str(answer), answer.began, answer.ended)
