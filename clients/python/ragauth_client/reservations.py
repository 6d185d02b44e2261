"""What a check has reserved is settled in the end by what was used, however the work ends."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

from ragauth_client.errors import InvalidRequest, RagauthError, Refused
from ragauth_client.exchange import log
from ragauth_client.fields import Amounts
from ragauth_client.models import Settlement, Verdict

R = TypeVar("R")


@dataclass
class _Reservation(Generic[R]):
    """`used` is what will be settled; a meter that it does not name was not used.

    Settling happens once, whoever asks for it first. It is repeated while ragauth is away, always
    with the same amounts. If that does not help, what was reserved stays counted, and the log says
    so with everything that it takes to settle it later: the work is done, and its result must not
    be lost over it. `settlement` is None then.
    """

    verdict: Verdict
    _settle: Callable[[str, Amounts], R]
    used: dict[str, int] = field(default_factory=dict)
    settlement: Settlement | None = None
    _is_closed: bool = False

    def __post_init__(self) -> None:
        if not self.verdict.valid:
            raise Refused(self.verdict)

    def add(self, meter: str, amount: int = 1) -> None:
        """Note that so much was used; more than was reserved is counted, too."""
        self.used[meter] = self.used.get(meter, 0) + amount

    def _close(self) -> str | None:
        """The id of the reservation that is to be settled now, if any."""
        if self._is_closed:
            return None
        self._is_closed = True
        return self.verdict.reservation_id

    def _log(self, failure: RagauthError) -> None:
        # Amounts of a meter that was never reserved: a mistake of the program, to be seen.
        if isinstance(failure, InvalidRequest):
            raise failure
        log.error("%s not settled, used %s: %s", self.verdict.reservation_id, self.used, failure)


@dataclass
class Reservation(_Reservation[Settlement]):
    """A reservation of `Client`; leaving its `with` settles it."""

    def settle(self) -> None:
        """Settle it now, unless this has happened."""
        reservation_id = self._close()
        if reservation_id is not None:
            try:
                self.settlement = self._settle(reservation_id, dict(self.used))
            except RagauthError as failure:
                self._log(failure)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.settle()


@dataclass
class AsyncReservation(_Reservation[Awaitable[Settlement]]):
    """A reservation of `AsyncClient`; leaving its `async with` settles it.

    Where the task is cancelled, as when the caller hangs up, settling goes on beside it.
    """

    _beside: set["asyncio.Task[None]"] = field(default_factory=set)

    async def settle(self) -> None:
        """Settle it now, unless this has happened."""
        reservation_id = self._close()
        if reservation_id is not None:
            task = asyncio.ensure_future(self._settle_beside(reservation_id))
            # The loop itself would not keep it alive.
            self._beside.add(task)
            task.add_done_callback(self._beside.discard)
            await asyncio.shield(task)

    async def _settle_beside(self, reservation_id: str) -> None:
        try:
            self.settlement = await self._settle(reservation_id, dict(self.used))
        except RagauthError as failure:
            self._log(failure)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.settle()
