"""Ways to a server as across a network: one that takes a while, one that loses packets."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_SECONDS = 0.004


@contextmanager
def far_away(port: int) -> Iterator[int]:
    """Yield a loopback port that leads to the given one, four milliseconds later each way."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, port), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            # An accept that waits is not ended by a close.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(listener: socket.socket, port: int) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=_carry, args=(client, server), daemon=True).start()


def _carry(client: socket.socket, server: socket.socket) -> None:
    others = {client: server, server: client}
    with client, server:
        for end in others:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            for end in select.select(list(others), [], [])[0]:
                try:
                    data = end.recv(65_536)
                    time.sleep(_SECONDS)
                    others[end].sendall(data)
                except OSError:
                    return
                if not data:
                    return


class Way:
    """A loopback port that leads to a server for as long as nothing blocks it.

    What is sent meanwhile arrives late, as TCP sends it again.
    """

    def __init__(self, port: int, to_port: int) -> None:
        self.port = port
        self._to_port = to_port
        self._may_begin = _set_event()
        self._may_go_on: list[threading.Event] = []
        self._threads: list[threading.Thread] = []

    @contextmanager
    def blocked(self, *, for_new: bool = True) -> Iterator[None]:
        """Let no byte through; with `for_new` off, only on the connections that are there."""
        closed = [*self._may_go_on, *([self._may_begin] if for_new else [])]
        for event in closed:
            event.clear()
        try:
            yield
        finally:
            for event in closed:
                event.set()

    def carry(self, client: socket.socket) -> None:
        """Carry this connection from now on, in a thread."""
        may_go_on = _set_event()
        self._may_go_on.append(may_go_on)
        thread = threading.Thread(target=self._carry, args=(client, may_go_on), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _carry(self, client: socket.socket, may_go_on: threading.Event) -> None:
        with client:
            self._may_begin.wait()
            with socket.create_connection(("127.0.0.1", self._to_port)) as server:
                others = {client: server, server: client}
                for end in others:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while True:
                    for end in select.select(list(others), [], [])[0]:
                        may_go_on.wait()
                        try:
                            data = end.recv(65_536)
                            others[end].sendall(data)
                        except OSError:
                            return
                        if not data:
                            return

    def join(self) -> None:
        """Wait until the last connection has ended."""
        for thread in self._threads:
            thread.join()


def _set_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@contextmanager
def way_to(port: int) -> Iterator[Way]:
    """Yield a way to the given loopback port, and wait at last for the end of its connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = Way(listener.getsockname()[1], port)
        thread = threading.Thread(target=_accept_for, args=(listener, way), daemon=True)
        thread.start()
        try:
            yield way
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            way.join()


def _accept_for(listener: socket.socket, way: Way) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        way.carry(client)
