"""One answer for all who wait for the same at the same moment."""

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedAnswer(Generic[T]):
    """What `make` returns, for one caller after another.

    A caller shares an answer whose making began after the call, so it never gets one that is older
    than its question. An error is the caller's alone.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._began_at = -math.inf
        self._answer: T

    def __call__(self) -> T:
        """The answer; waits for the one that is being made, and then for the next one."""
        asked_at = time.monotonic()
        with self._lock:
            if self._began_at <= asked_at:
                began_at = time.monotonic()
                self._answer = self._make()
                self._began_at = began_at
            return self._answer
