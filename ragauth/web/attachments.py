"""Answers of any length to be saved as files, written to a file before they are sent.

They are not streamed: a failure halfway gives an error instead of half a document, and a slow
client keeps no transaction open. The file has no name on the disk. A short answer stays in memory.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile

from flask import Response

from ragauth.extensions import settings

_IN_MEMORY_BYTES = 1024 * 1024
_CHUNK_BYTES = 64 * 1024

File = SpooledTemporaryFile[bytes]


def attachment(write: Callable[[File], None], *, name: str, content_type: str) -> Response:
    """What `write` writes, to be saved under a name."""
    with ExitStack() as opened:
        file = opened.enter_context(
            SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(settings().instance_dir))
        )
        write(file)
        length = file.tell()
        file.seek(0)
        if length <= _IN_MEMORY_BYTES:
            response = Response(file.read(), 200, content_type=content_type)
        else:
            # The file stays open until the answer is sent; a HEAD reads nothing of it.
            response = Response(_chunks(file), 200, content_type=content_type)
            response.call_on_close(opened.pop_all().close)
    response.content_length = length
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _chunks(file: File) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
