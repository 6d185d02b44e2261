"""Clients that write HTTP by themselves, byte for byte."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.service import Service

_SECONDS = 20


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@contextmanager
def connection(service: Service) -> Iterator[socket.socket]:
    host, port = service.address.split(":")
    with socket.create_connection((host, int(port)), timeout=_SECONDS) as client:
        yield client


def read_answer(client: socket.socket, *, has_body: bool = True) -> Answer:
    """One answer, and not a byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, head
        head += byte
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = dict(line.lower().split(": ", 1) if ": " in line else (line, "") for line in lines)
    length, body = int(headers["content-length"]) if has_body else 0, b""
    while len(body) < length:
        body += client.recv(length - len(body))
    return Answer(int(first.split(" ")[1]), headers, body)


def authorize(key: str, *, method: str = "GET", more: str = "", version: str = "1.1") -> bytes:
    return (
        f"{method} /api/v1/authorize?scope=query HTTP/{version}\r\nHost: ragauth.test\r\n"
        f"X-API-Key: {key}\r\n{more}\r\n"
    ).encode()


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processor so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def errors_in_log(service: Service) -> list[str]:
    """Lines that would wake an operator: what is logged as an error, and stacks."""
    return [
        line
        for line in service.gunicorn.log().splitlines()
        if '"ERROR"' in line or '"CRITICAL"' in line or "Traceback" in line
    ]
