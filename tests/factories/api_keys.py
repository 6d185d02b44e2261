"""Keys that no route makes, and look-alikes of keys."""

import secrets
import string
import zlib

from flask import Flask

from ragauth.services.operators.service_keys import create_service_key

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def make_service_key(app: Flask, *scopes: str) -> str:
    """The raw key of a service."""
    with app.app_context():
        return create_service_key(name="A service", scopes=list(scopes)).raw_key


def unknown_key(kind: str = "rag_live_") -> str:
    """A well-formed key that was never issued; its checksum is computed independently."""
    unchecked = kind + "".join(secrets.choice(_BASE62) for _ in range(30))
    return unchecked + base62(zlib.crc32(unchecked.encode()))


def base62(number: int) -> str:
    """Six digits, left-padded with `0`."""
    digits = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits)).rjust(6, "0")


def mistyped(key: str) -> str:
    """The key with its last character changed: the form fits, the checksum does not."""
    return key[:-1] + ("a" if key[-1] != "a" else "b")
