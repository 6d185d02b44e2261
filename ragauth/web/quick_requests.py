"""Which requests the polling thread may answer itself."""

from typing import Any

from ragauth.web.login_shedding import is_to_be_shed
from ragauth.web.paths import LOGIN, VERIFY, is_authorize
from ragauth.web.plain_http import PlainRequest, read_plain


def find_quick_request(application: object, data: bytes, client: Any) -> PlainRequest | None:
    """A key check, or a login that there is no place to hash for; None for everything else.

    `client` is the address of the other end; that of a Unix socket is a text.
    """
    if not isinstance(client, tuple):
        return None
    plain = read_plain(data)
    if plain is None:
        return None
    path = plain.environ["PATH_INFO"]
    if is_authorize(path) or path == VERIFY:
        return plain
    if path == LOGIN and is_to_be_shed(application, plain.environ, client[0]):
        return plain
    return None
