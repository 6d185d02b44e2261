"""A way to a server that takes a while, as across a network."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_SECONDS = 0.001


@contextmanager
def far_away(port: int) -> Iterator[int]:
    """Yield a loopback port that leads to the given one, a millisecond later each way."""
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
