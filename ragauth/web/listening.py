"""Checks the addresses to listen on before gunicorn starts, to report a fault in one line.

gunicorn itself tries five times, a second apart, and ends with a stack trace.
"""

import errno
import os
import socket
import stat
from collections.abc import Iterable
from pathlib import Path

Address = str | tuple[str, int] | int
# A Unix socket's path with its final NUL (unix(7)).
_MOST_PATH_BYTES = 107
_REASONS = {
    errno.EADDRINUSE: "taken by another program, or by a ragauth that runs already;"
    " PORT chooses another",
    errno.EADDRNOTAVAIL: "this machine has no such address; HOST chooses another",
    errno.EACCES: "permission denied; ports below 1024 are root's",
}


def fault_in_listening(addresses: Iterable[Address]) -> str | None:
    """One line about the first address that cannot be served; None if all can."""
    for address in addresses:
        if isinstance(address, str):
            fault = _fault_of_path(address)
            if fault is not None:
                return f"unix:{address} cannot be served: {fault}"
        elif isinstance(address, tuple):
            fault = _fault_of_port(*address[:2])
            if fault is not None:
                host, port = address[:2]
                shown = f"[{host}]" if ":" in host else host
                return f"{shown}:{port} cannot be served: {fault}"
    return None


def _fault_of_port(host: str, port: int) -> str | None:
    try:
        # As gunicorn chooses the family: IPv6 for a host with a colon.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            # With SO_REUSEADDR two programs can bind one port, but only one of them can listen.
            probe.listen()
    except socket.gaierror:
        return "the name is not known; HOST chooses another"
    except OSError as error:
        return _REASONS.get(error.errno or 0, error.strerror)
    return None


def _fault_of_path(text: str) -> str | None:
    if text.startswith("\0"):
        return None
    path = Path(text)
    if len(os.fsencode(path)) > _MOST_PATH_BYTES:
        return f"the path is longer than {_MOST_PATH_BYTES} bytes"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"permission denied in {path.parent}"
    if not path.exists():
        return None
    if not stat.S_ISSOCK(path.stat().st_mode):
        return "there is a file that is no socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # gunicorn would replace the socket of another running program.
        is_taken = probe.connect_ex(text) == 0
    return "taken by another program, or by a ragauth that runs already" if is_taken else None
