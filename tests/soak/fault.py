"""What a fault is: how it begins and ends, what it excuses, and when all must be well again."""

from abc import ABC, abstractmethod
from typing import ClassVar

from tests.soak.oracle import Excuse
from tests.soak.stage import KINDS, POSTGRES, Stage
from tests.soak.ways import Way

ANY_KIND = frozenset(KINDS)


class Fault(ABC):
    """One thing that goes wrong, on a stage of one of its `kinds`.

    It lasts between the `seconds`, drawn at random. What `excuses` name may happen meanwhile and
    for `within_seconds` after it; then all is as it was. Every other promise holds throughout.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str]] = frozenset({POSTGRES})
    seconds: ClassVar[tuple[float, float]] = (4.0, 12.0)
    within_seconds: ClassVar[float] = 10.0
    excuses: ClassVar[frozenset[Excuse]] = frozenset({Excuse.REFUSED})

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @classmethod
    def is_possible(cls, stage: Stage) -> bool:
        """Whether this machine lets it happen."""
        return True

    @abstractmethod
    def begin(self) -> None:
        """Make it go wrong; `end` is called too where this raised."""

    @abstractmethod
    def end(self) -> None:
        """Mend what is outside of ragauth, which mends itself."""


class HeldWays(Fault):
    """Something happens to the ways to one server."""

    server: ClassVar[str]

    def ways(self) -> list[Way]:
        return self.stage.ways_to(self.server)

    def begin(self) -> None:
        for way in self.ways():
            way.hold()

    def end(self) -> None:
        for way in self.stage.ways_to(self.server):
            way.release()
