"""Event loops beside the test's thread, where playwright's own may be running already."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class LoopBeside:
    """A thread with an event loop, for coroutines that belong together."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._runner = asyncio.Runner()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it to its end; gives what it returns."""
        return self._thread.submit(self._runner.run, work).result()

    def __enter__(self) -> "LoopBeside":
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with self._thread:
            self._thread.submit(self._runner.close).result()


def run_beside(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end in an event loop of its own, as `asyncio.run` does."""
    with LoopBeside() as loop:
        return loop.run(work)
