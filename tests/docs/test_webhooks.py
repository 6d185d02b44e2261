"""docs/webhooks.md tells each type of message, with an example that fits what is sent."""

import json
import re
from typing import Any

from flask import Flask

from ragauth import clock
from ragauth.services.webhooks import sending
from ragauth.services.webhooks.messages import compose
from ragauth.services.webhooks.types import CHOSEN, MOST_ENDPOINTS, TOLD, MessageType
from tests.cases import for_each
from tests.docs.settings import ROOT

_TEXT = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
_EXAMPLES: list[dict[str, Any]] = [
    json.loads(block) for block in re.findall(r"```json\n(.*?)```", _TEXT, re.DOTALL)
]
_ROWS = dict(re.findall(r"^\| `([a-z_.]+)` \| (.+) \|$", _TEXT, re.MULTILINE))


def test_each_type_has_a_row_and_an_example() -> None:
    assert {kind.value: told.sentence for kind, told in TOLD.items()} == _ROWS
    assert [example["type"] for example in _EXAMPLES] == [kind.value for kind in TOLD]
    assert set(TOLD) == set(MessageType)
    assert set(CHOSEN) == set(_ROWS) - {"webhook.test"}


@for_each("example", _EXAMPLES)
def test_an_example_is_what_is_sent(example: dict[str, Any]) -> None:
    kind = MessageType(example["type"])
    sent = json.loads(
        compose(kind, None, {**example["data"], "secret": "x", "ip": "x"}, at=clock.now())
    )
    assert set(sent) == set(example)
    assert sent["data"] == {**example["data"], "account_id": sent["data"]["account_id"]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", example["timestamp"])


def test_the_openapi_document_has_the_same(sqlite_app: Flask) -> None:
    document = sqlite_app.test_client().get("/openapi.json").get_json()
    shown = [
        operation["post"]["requestBody"]["content"]["application/json"]["example"]
        for operation in document["webhooks"].values()
    ]
    assert shown == _EXAMPLES
    assert list(document["webhooks"]) == list(_ROWS)


def test_the_waits_are_those_of_the_code() -> None:
    assert sending._WAITS_SECONDS == (5, 30, 120, 600, 1800, 3600, 7200)
    waits = "5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, and then every 4 to 6 hours"
    assert waits in " ".join(_TEXT.split())
    assert MOST_ENDPOINTS == 20
    assert "twenty endpoints" in " ".join(_TEXT.split())
