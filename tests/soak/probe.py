"""A process of its own that asks for /healthz all the time, and a bystander to compare with.

`python -m tests.soak.probe a=8001 b=8002` prints one JSON array an answer, until its input ends:
`[host, began, ended, status or null]`. The host `bystander` is a process that does nothing but
answer: what it takes longer is the machine's doing.
"""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping

from tests.servers.gunicorn import PROJECT_ROOT
from tests.soak.asking import Answer, ask
from tests.soak.oracle import Oracle

BYSTANDER = "bystander"
_EVERY_SECONDS = 0.1
_BYSTANDER_EVERY_SECONDS = 0.02
_GIVE_UP_SECONDS = 5.0
_COMPUTE_SECONDS = 0.005
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    if (child := os.fork()) == 0:
        _stand_by(listener)
    try:
        ports = {name: int(port) for name, port in (each.split("=") for each in sys.argv[1:])}
        ports[BYSTANDER] = listener.getsockname()[1]
        over = threading.Event()
        threads = [
            threading.Thread(target=_ask_on, args=(name, port, over))
            for name, port in ports.items()
        ]
        for thread in threads:
            thread.start()
        sys.stdin.buffer.read()
        over.set()
        for thread in threads:
            thread.join()
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def _ask_on(name: str, port: int, over: threading.Event) -> None:
    pause = _BYSTANDER_EVERY_SECONDS if name == BYSTANDER else _EVERY_SECONDS
    while not over.wait(pause):
        answer = ask(name, port, "GET", "/healthz", give_up_seconds=_GIVE_UP_SECONDS)
        line = json.dumps([name, answer.began, answer.ended, answer.status])
        with contextlib.suppress(BrokenPipeError):
            os.write(1, line.encode() + b"\n")


def _stand_by(listener: socket.socket) -> None:
    """Answer until the parent is gone; never returns.

    A thread beside it computes an eighth of the time: a worker, too, has threads that hold the
    interpreter when the machine takes the processor away.
    """
    parent = os.getppid()
    threading.Thread(target=_compute, daemon=True).start()
    while os.getppid() == parent:
        if not select.select([listener], [], [], 1)[0]:
            continue
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.recv(4096)
            client.sendall(_ANSWER)
    os._exit(0)


def _compute() -> None:
    while True:
        until = time.thread_time() + _COMPUTE_SECONDS
        while time.thread_time() < until:
            pass
        time.sleep(7 * _COMPUTE_SECONDS)


@contextlib.contextmanager
def probing(oracle: Oracle, ports: Mapping[str, int]) -> Iterator[None]:
    """Ask the hosts for /healthz meanwhile, and let the oracle hear it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.soak.probe", *(f"{n}={port}" for n, port in ports.items())],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C is for the soak: this one ends when its input does.
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                name, began, ended, status = json.loads(line)
                if name == BYSTANDER:
                    oracle.delayed(began, ended - began)
                else:
                    oracle.hear_health(Answer(name, "GET", "/healthz", began, ended, status))

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            listener.join(_GIVE_UP_SECONDS + 5)
            # The threads of the clients are what it waits for at most.
            deadline = time.monotonic() + 5
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            if process.poll() is None:
                process.kill()


if __name__ == "__main__":
    main()
