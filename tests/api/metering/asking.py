"""Questions about keys with limits, and what the answers tell."""

import re
from typing import Any

from werkzeug.test import TestResponse

from tests.clients import Client, Member

_ITEM = re.compile(r'"([^"]+)"((?:;[a-z]+=(?:\d+|"[^"]*"))*)')


def limit(meter: str, window: str, size: int, **further: Any) -> dict[str, Any]:
    return {"meter": meter, "window": window, "size": size, **further}


def key_with(member: Member, *limits: dict[str, Any], **fields: Any) -> Client:
    """A caller with a new key that has these limits."""
    made = member.create_key(limits=[*limits], **fields)
    return Client(member.client.app).as_key(made["api_key"])


def authorize(caller: Client, query: str = "") -> TestResponse:
    return caller.get(f"/api/v1/authorize?{query}")


def items(header: str) -> dict[str, dict[str, Any]]:
    """A RateLimit header by name, with its parameters; the whole header must be of that form."""
    found = {}
    for item in header.split(", "):
        form = _ITEM.fullmatch(item)
        assert form is not None, header
        assert form[1] not in found
        pairs = (part.split("=") for part in form[2].split(";")[1:])
        found[form[1]] = {
            name: value.strip('"') if value[0] == '"' else int(value) for name, value in pairs
        }
    return found


def left(response: TestResponse) -> dict[str, int]:
    """What remains of each limit, by its name in the headers."""
    return {name: told["r"] for name, told in items(response.headers["RateLimit"]).items()}
