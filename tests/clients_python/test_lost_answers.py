"""The clients tell a call that was not sent from one whose answer was lost."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from ragauth_client import AsyncClient, Unavailable

from tests.cases import for_each
from tests.loops import run_beside
from tests.waiting import wait_until

MakeClient = Callable[..., Any]
_KEY = "rag_svc_x"


class Silent:
    """A server that reads requests and answers none of them."""

    def __init__(self, listener: socket.socket, closes: bool) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.requests: list[bytes] = []
        self._listener, self._closes = listener, closes
        self._kept: list[socket.socket] = []

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break
            request = _read(connection)
            # One that is closed before it asks is none.
            if request:
                self.requests.append(request)
            if self._closes:
                connection.close()
            else:
                self._kept.append(connection)
        for connection in self._kept:
            connection.close()


def _read(connection: socket.socket) -> bytes:
    """A request with its body, or what came of it."""
    request = b""
    while not (head := request.partition(b"\r\n\r\n"))[1] or len(head[2]) < _length(head[0]):
        more = connection.recv(65536)
        if not more:
            break
        request += more
    return request


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


@contextmanager
def silent_server(*, closes: bool) -> Iterator[Silent]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Silent(listener, closes)
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_server_that_hangs_up_may_have_counted(make_client: MakeClient) -> None:
    with silent_server(closes=True) as server:
        client = make_client(server.url, _KEY, waits=(0.01, 0.01))
        assert client.verify("rag_live_x").status == 503
        assert len(server.requests) == 1
        with pytest.raises(Unavailable) as caught:
            client.settle("rsv_1", {"tokens": 1})
        assert caught.value.may_have_arrived
        assert len(server.requests) == 4


def test_a_check_ends_in_time_where_nothing_answers(make_client: MakeClient) -> None:
    with silent_server(closes=False) as server:
        client = make_client(server.url, _KEY, verify_timeout=0.2)
        started = time.monotonic()
        assert client.verify("rag_live_x").status == 503
        assert 0.15 < time.monotonic() - started < 4
        assert len(server.requests) == 1


def test_what_nobody_listens_to_was_not_sent(make_client: MakeClient, port_of_nobody: int) -> None:
    client = make_client(f"http://127.0.0.1:{port_of_nobody}", _KEY, waits=(0.01,))
    with pytest.raises(Unavailable) as caught:
        client.settle("rsv_1", {"tokens": 1})
    assert not caught.value.may_have_arrived


def test_what_finds_no_free_connection_was_not_sent() -> None:
    """And a check waits for one no longer than for anything else."""
    with silent_server(closes=False) as server:

        async def ask_beside_a_call() -> int:
            async with AsyncClient(
                server.url, _KEY, verify_timeout=0.2, max_connections=1
            ) as client:
                settling = asyncio.ensure_future(client.settle("rsv_1", {}))
                while not server.requests:
                    await asyncio.sleep(0.01)
                verdict = await client.verify("x")
                settling.cancel()
                await asyncio.wait([settling])
            return verdict.status

        assert run_beside(ask_beside_a_call()) == 503
        (request,) = server.requests
        assert request.startswith(b"POST /api/v1/usage/settle ")


@for_each(
    ("arguments", "fault"),
    [
        (("127.0.0.1:8000", _KEY), "http://"),
        (("http://", _KEY), "a host"),
        (("redis://127.0.0.1:8000", _KEY), "http://"),
        (("http://127.0.0.1:8000", ""), "service key"),
        (("http://127.0.0.1:8000", "rag_svc_x\n"), "service key"),
    ],
)
def test_what_can_never_work_stops_the_start(
    make_client: MakeClient, arguments: tuple[str, str], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        make_client(*arguments)


def test_a_repr_shows_no_key(make_client: MakeClient) -> None:
    assert _KEY not in repr(make_client("http://127.0.0.1:1", _KEY))


def test_settling_goes_on_where_the_task_is_cancelled() -> None:
    """A caller who hangs up cancels the task; what he used is settled nevertheless."""

    async def hang_up(url: str) -> None:
        async with AsyncClient(url, _KEY, waits=()) as client:

            async def work() -> None:
                verdict = await client.verify("x")
                reserved = replace(verdict, valid=True, reservation_id="rsv_1")
                async with client.settling(reserved) as reservation:
                    reservation.add("tokens", 3)
                    task.cancel()
                    try:
                        await asyncio.sleep(60)
                    except asyncio.CancelledError:
                        # As anyio does, which Starlette cancels with: again and again.
                        task.cancel()
                        raise

            task = asyncio.ensure_future(work())
            with pytest.raises(asyncio.CancelledError):
                await task

    with silent_server(closes=True) as server:
        run_beside(hang_up(server.url))
        wait_until(lambda: len(server.requests) == 2)
        assert server.requests[1].startswith(b"POST /api/v1/usage/settle ")
        assert server.requests[1].endswith(b'{"reservation_id": "rsv_1", "use": {"tokens": 3}}')
