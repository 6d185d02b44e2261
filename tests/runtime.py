"""What an application holds, for tests that look at it or put another part in."""

from dataclasses import replace
from typing import Any

from flask import Flask

from ragauth.runtime import Runtime


def runtime_of(app: Flask) -> Runtime:
    """As `ragauth.extensions.runtime_of`, with its type."""
    runtime: Runtime = app.extensions["ragauth"]
    return runtime


def replace_parts(app: Flask, **parts: Any) -> None:
    """Give the application other parts, by their names in the Runtime."""
    app.extensions["ragauth"] = replace(runtime_of(app), **parts)
