"""An environment without settings, for the tests of how these are read."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No setting but the instance folder."""
    for name in list(os.environ):
        if name.startswith("RAGAUTH_") or name in (
            "HOST",
            "PORT",
            "WEB_CONCURRENCY",
            "WEB_THREADS",
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("RAGAUTH_INSTANCE_DIR", str(tmp_path / "instance"))
    return monkeypatch
