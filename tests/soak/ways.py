"""A loopback port that leads to a server, until it is told to hold, to cut or to lead elsewhere."""

import contextlib
import select
import socket
import struct
import threading

_LOOK_SECONDS = 0.5
_RESET = struct.pack("ii", 1, 0)


class Way:
    """Carries connections to a server's port on loopback.

    While it is held nothing is carried and nothing is closed, as when a network drops packets.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._carries = threading.Event()
        self._carries.set()
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._is_closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """Carry nothing from now on."""
        self._carries.clear()

    def release(self) -> None:
        """Carry again, what came meanwhile first."""
        self._carries.set()

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        with self._lock:
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    end.shutdown(socket.SHUT_RDWR)

    def lead_to(self, port: int) -> None:
        """Lead new connections to another server; those that there are stay where they lead."""
        self._target = port

    def close(self) -> None:
        """End all connections and the port."""
        self._is_closed = True
        self._carries.set()
        with contextlib.suppress(OSError):
            # An accept that waits is not ended by a close.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        self._carries.wait()
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                # What a client meets where no server listens.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return
            server.settimeout(None)
            with server:
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._ends |= {client, server}
                try:
                    self._carry(client, server)
                finally:
                    with self._lock:
                        self._ends -= {client, server}

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        others = {client.fileno(): (client, server), server.fileno(): (server, client)}
        poll = select.poll()
        for number in others:
            poll.register(number, select.POLLIN)
        while not self._is_closed:
            for number, _ in poll.poll(_LOOK_SECONDS * 1000):
                self._carries.wait()
                source, target = others[number]
                try:
                    data = source.recv(65_536)
                    # What was read before a hold began must wait, too.
                    self._carries.wait()
                    target.sendall(data)
                except OSError:
                    return
                if not data:
                    return
