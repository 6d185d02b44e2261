"""Which requests the poller answers itself: those that are always quick."""

from typing import Any

from ragauth.server.plain_http import PlainRequest, read_plain
from ragauth.web.check.login_shedding import is_to_be_shed
from ragauth.web.paths import KEYS_VERIFY, LOGIN, is_authorize
from ragauth.web.quick_routes import is_quick


def is_login(plain: PlainRequest) -> bool:
    """Whether such a request is a login to refuse, not a key check."""
    return bool(plain.environ["PATH_INFO"] == LOGIN)


def find_quick_request(application: Any, data: bytes, client: Any) -> PlainRequest | None:
    """Find a plain request for a key check or a quick route, or a login to refuse; else None.

    A login is refused if there is no place to hash. `client` is a TCP client's address; requests on
    a Unix socket are never quick.
    """
    plain = read_plain(data) if isinstance(client, tuple) else None
    if plain is None:
        return None
    path = plain.environ["PATH_INFO"]
    if is_authorize(path) or path == KEYS_VERIFY:
        return plain
    if is_quick(application, plain.environ["REQUEST_METHOD"], path):
        return plain
    if path == LOGIN and is_to_be_shed(application, plain.environ, client[0]):
        return plain
    return None
