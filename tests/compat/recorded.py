"""Requests and answers as a vendor's document shows them, replayed one after the other.

What differs each time is a placeholder: `<access:jwt>` in an answer stands for any JWT and names
it, `<access>` in a later request is what was named so.
"""

import json
import re
from pathlib import Path
from typing import Any

import time_machine
from flask import Flask

_KINDS = {
    "jwt": r"eyJ[\w-]+\.[\w-]+\.[\w-]+",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "key": r"rag_live_[0-9A-Za-z]{36}",
    "rst_key": r"rst_[0-9A-Za-z]{36}",
    "rst_prefix": r"rst_[0-9A-Za-z]{4}",
    "prefix": r"rag_live_[0-9A-Za-z]{4}",
    "account": r"acc_[0-9a-z]{26}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "text": r".+",
}
_NAMED = re.compile(r"<(\w+):(\w+)>")
_USED = re.compile(r"<(\w+)>")


def replay(
    app: Flask, recording: Path, *, prefix: str = "", may_have_more: bool = False
) -> dict[str, str]:
    """Send what was recorded, at the times recorded; each answer must fit. Returns what was named.

    `may_have_more` is for a format that says more than its document does.
    """
    named: dict[str, str] = {}
    pairs: list[dict[str, Any]] = json.loads(recording.read_text())
    with time_machine.travel(pairs[0].get("at", "2026-01-01T00:00:00Z"), tick=False) as clock:
        for pair in pairs:
            if "at" in pair:
                clock.move_to(pair["at"])
            request = _fill(pair["request"], named)
            for path in _spellings(request):
                response = app.test_client(use_cookies=False).open(
                    prefix + path,
                    method=request["method"],
                    headers=request.get("headers", {}),
                    json=request.get("body"),
                )
                where = f"{request['method']} {path}: {response.status_code} {response.text}"
                assert response.status_code == pair["status"], where
                if "answer" in pair:
                    _fit(response.get_json(), pair["answer"], named, where, may_have_more)
                else:
                    assert response.data == b"", where
    return named


def _spellings(request: dict[str, Any]) -> list[str]:
    """What changes nothing is asked with a trailing slash and without."""
    path, question, query = request["path"].partition("?")
    path = path.rstrip("/")
    if request["method"] != "GET":
        return [request["path"]]
    return [path + question + query, f"{path}/{question}{query}"]


def _fill(value: Any, named: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _fill(part, named) for name, part in value.items()}
    if isinstance(value, str):
        return _USED.sub(lambda match: named[match[1]], value)
    return value


def _fit(
    answer: Any, recorded: Any, named: dict[str, str], where: str, may_have_more: bool
) -> None:
    if isinstance(recorded, dict):
        assert isinstance(answer, dict), where
        more = set(answer) - set(recorded)
        assert set(recorded) <= set(answer), where
        assert may_have_more or not more, f"{where}: {more}"
        for name, part in recorded.items():
            _fit(answer[name], part, named, where, may_have_more)
    elif isinstance(recorded, list):
        assert isinstance(answer, list), where
        assert len(answer) == len(recorded), where
        for one, part in zip(answer, recorded, strict=True):
            _fit(one, part, named, where, may_have_more)
    elif isinstance(recorded, str) and (placeholder := _NAMED.fullmatch(recorded)):
        assert isinstance(answer, str), where
        assert re.fullmatch(_KINDS[placeholder[2]], answer), f"{where}: {recorded}"
        named[placeholder[1]] = answer
    else:
        assert answer == _fill(recorded, named), where
