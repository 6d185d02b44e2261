"""Other vendors' wire formats over the same services: a folder each, `RAGAUTH_COMPAT` mounts it.

A face is its routes, its schemas and its errors, and nothing else; see docs/adding-a-face.md.
"""

from collections.abc import Iterable
from importlib import import_module

from flask import Flask

from ragauth.web.faces import register_face

# A vendor's list has no pages; this is more than any plan holds, and a bound all the same.
WHOLE_LIST = 10_000


def register_faces(app: Flask, vendors: Iterable[str]) -> None:
    """Mount `FACE` of each vendor's folder."""
    for vendor in dict.fromkeys(vendors):
        register_face(app, vendor, import_module(f"{__name__}.{vendor}").FACE)
