"""Bodies that a server cannot read, as it gives them to an application."""

from io import RawIOBase


class BrokenBody(RawIOBase):
    """Raises the server's error when it is read."""

    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self._fault = fault

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: object) -> int:
        raise self._fault


def broken_body(fault: Exception, length: str = "") -> dict[str, object]:
    """What such a request has in its environment; without a length it came in chunks."""
    terminated = {} if length else {"wsgi.input_terminated": True}
    return {"wsgi.input": BrokenBody(fault), "CONTENT_LENGTH": length, **terminated}
