"""What tests of several routes share."""

import pytest

from ragauth import deadlines


@pytest.fixture
def patient_poller(monkeypatch: pytest.MonkeyPatch) -> None:
    """The polling thread waits as long as any other: a busy machine's database is slow."""
    monkeypatch.setattr(deadlines, "POLLER_SECONDS", deadlines.CHECK_SECONDS)
