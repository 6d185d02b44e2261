"""docs/integrating.md: its loop follows the feed of events."""

import io
from typing import Any
from urllib.request import Request

import pytest
from flask import Flask

from ragauth import transaction
from ragauth.services import audit
from ragauth.services.audit import OPERATOR, EventName
from tests.clients import Client
from tests.docs.markdown import ROOT, blocks
from tests.factories.api_keys import make_service_key


class Stopped(Exception):
    """The loop has nothing to do for now."""


def test_the_loop_delivers_each_event_once(
    app: Flask, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASE", "http://ragauth.test")
    monkeypatch.setenv("SERVICE_KEY", make_service_key(app, "accounts"))

    def urlopen(request: Request, timeout: float) -> io.BytesIO:
        assert timeout
        target = request.full_url.removeprefix("http://ragauth.test")
        return io.BytesIO(client.get(target, headers=dict(request.header_items())).data)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    [loop] = [one for one in blocks(ROOT / "docs" / "integrating.md") if one.info == "python"]
    names: dict[str, Any] = {}
    exec(loop.text, names)
    delivered: list[str] = []
    cursors: list[str | None] = [None]

    def deliver(event: dict[str, Any]) -> None:
        if event["name"] == EventName.ACCOUNT_CHANGED:
            delivered.append(event["id"])

    def stop(_seconds: float) -> None:
        raise Stopped

    for written in (130, 1, 0, 100):
        before = len(delivered)
        record(app, written)
        with pytest.raises(Stopped):
            names["follow"](cursors[-1], deliver, cursors.append, stop)
        assert len(delivered) - before == written
    assert len(set(delivered)) == len(delivered)


def record(app: Flask, number: int) -> None:
    with app.app_context(), transaction.unit_of_work():
        for _ in range(number):
            audit.record(EventName.ACCOUNT_CHANGED, account_id=None, client=OPERATOR)
