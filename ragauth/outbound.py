"""Requests of ragauth's own to other services over HTTP, within bounds of time and size.

Webhooks have a connection of their own (`services.webhooks.connection`), which checks addresses.
"""

import logging
from typing import TYPE_CHECKING

from ragauth import clock

if TYPE_CHECKING:
    import httpx

#: A small compressed answer could expand to a huge one.
UNPACKED = {"Accept": "application/json", "Accept-Encoding": "identity"}


class UnusableAnswer(Exception):
    """Another service's answer is of no use; the message tells why, without quoting it."""


def open_client(timeout: "httpx.Timeout", limits: "httpx.Limits | None" = None) -> "httpx.Client":
    """A client that goes nowhere but where it is told to; close it.

    It follows no redirect, ignores the environment's proxies, .netrc and certificates, and keeps no
    cookies: one that was set for one account must not be sent for another.
    """
    # Only where there is another service.
    from http.cookiejar import CookieJar, DefaultCookiePolicy  # noqa: PLC0415

    import httpx  # noqa: PLC0415

    # httpx would log each URL, which may contain a password.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return httpx.Client(
        timeout=timeout,
        limits=limits or httpx.Limits(),
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def read_body(response: "httpx.Response", *, most_bytes: int, ends_at: float) -> bytes:
    """The body of an answer, read until `ends_at` by the monotonic clock.

    Raises UnusableAnswer for a packed or too large one, TimeoutError.
    """
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise UnusableAnswer("a packed answer")
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > most_bytes:
            raise UnusableAnswer("too large an answer")
        if clock.monotonic() > ends_at:
            raise TimeoutError
    return bytes(body)
