"""Names: what people named cannot deceive who reads it, on every face (S46)."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from flask import Flask

from tests.cases import for_each
from tests.clients import PASSWORD, Client, Member, issues, ok

DECEPTIVE = ["\x1b[2J", "\r", "\n", "\x07", "\x9b", "\u202e", "\u2067", "\u200b", "\ufeff"]
DECEPTIVE += ["\u2028", "\u00ad", "\u200dx", "\U000e0041", "\ufff9", "\x00", "\ud800"]
HONEST = ["Zo\u00eb", "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "\u674e\u5c0f\u9f8d"]
HONEST += ["\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f", "\u05e9\u05e8\u05d4"]


class Place(NamedTuple):
    """Where somebody gives a name: `{agent}` and `{key}` in the path are the caller's own."""

    method: str
    path: str
    field: str
    body: dict[str, Any] = {}
    # The status of a fault, and of a success.
    statuses: tuple[int, int] = (400, 201)
    has_lines: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.field}"


NEW_ACCOUNT = {"email": "ada@example.com", "password": PASSWORD}
REGISTERED = {"email": "bea@example.com", "password": PASSWORD, "username": "bea1815"}
KEYS, AGENTS = "/api/auth/api-keys", "/api/agents"
FASTAPI = (422, 200)
CHATS, RST = "/compat/ragchats/api/agents", "/compat/rst/v1/auth"
PLACES = [
    Place("POST", "/api/auth/signup", "name", NEW_ACCOUNT),
    Place("PATCH", "/api/auth/me", "name", statuses=(400, 200)),
    Place("POST", KEYS, "name"),
    Place("PATCH", f"{KEYS}/{{key}}", "name", statuses=(400, 200)),
    Place("POST", AGENTS, "name"),
    Place("POST", AGENTS, "description", {"name": "Bot"}, has_lines=True),
    Place("PATCH", f"{AGENTS}/{{agent}}", "name", statuses=(400, 200)),
    Place("PATCH", f"{AGENTS}/{{agent}}", "description", statuses=(400, 200), has_lines=True),
    Place("POST", f"{AGENTS}/{{agent}}/api-keys", "name"),
    Place("POST", CHATS, "name"),
    Place("POST", CHATS, "description", {"name": "Bot"}, has_lines=True),
    Place("POST", f"{CHATS}/{{agent_uuid}}/api-keys", "name"),
    Place("POST", f"{RST}/register", "full_name", REGISTERED, (422, 200)),
    Place("POST", f"{RST}/api-keys", "name", statuses=FASTAPI),
]


@pytest.fixture
def faces(share_app: Callable[..., Flask]) -> Client:
    return Client(share_app(compat=("ragchats", "rst")))


def sender(member: Member, place: Place) -> Callable[[str], Any]:
    """What gives a name there."""
    ids = {}
    if "{key}" in place.path:
        ids["key"] = ok(member.client.get(KEYS))[0]["id"]
    if "{agent" in place.path:
        listed = ok(member.client.get(AGENTS)) or [member.create_agent()]
        ids["agent"] = listed[0]["id"]
        ids["agent_uuid"] = member.client.get(CHATS).get_json()[0]["id"]
    path = place.path.format(**ids)

    def send(name: str) -> Any:
        return member.client.request(place.method, path, json={**place.body, place.field: name})

    return send


@for_each("place", PLACES)
def test_what_deceives_is_that_fields_fault(faces: Client, place: Place) -> None:
    """S46: no control, bidi or invisible format character is stored in a name."""
    send = sender(faces.sign_up(), place)
    for text in DECEPTIVE:
        if place.has_lines and text == "\n":
            continue
        response = send(f"Ada {text}Lovelace")
        assert response.status_code == place.statuses[0], (ascii(text), response.text)
        assert place.field in response.text


@for_each("place", PLACES)
def test_real_names_are_taken_as_they_are(faces: Client, place: Place) -> None:
    texts = [*HONEST, *(["One\n\ttwo"] if place.has_lines else [])]
    name = " ".join(texts)
    response = sender(faces.sign_up(), place)(name)
    assert response.status_code == place.statuses[1], response.text
    assert name in json.dumps(response.get_json(), ensure_ascii=False).replace("\\n\\t", "\n\t")


def test_the_fault_names_the_character(client: Client) -> None:
    body = {**NEW_ACCOUNT, "name": "Ada \u202eevil"}
    assert issues(client.post("/api/auth/signup", body)) == {
        ("name",): "May not contain U+202E, a control or an invisible character"
    }


@for_each("text", [*DECEPTIVE, "\u3164", "\u034f", "\ufe0f"])
def test_no_address_holds_any_of_them(client: Client, text: str) -> None:
    """S46: an address is shown as names are."""
    for email in (f"a{text}b@example.com", f"a@exa{text}mple.com"):
        found = issues(client.post("/api/auth/signup", {"email": email, "password": PASSWORD}))
        assert set(found) == {("email",)}


def test_a_user_agent_is_stored_without_them(client: Client) -> None:
    """S46: sessions and events show it to owner and operator."""
    member = client.sign_up()
    told = "Mozilla\x1b[2J/5.0 \x9b\xad(\x07X)\x7f"
    body = {"email": member.email, "password": PASSWORD}
    data = ok(client.post("/api/auth/login", body, headers={"User-Agent": told}))
    caller = client.as_user(data["token"])
    (session, *_) = [one for one in ok(caller.get("/api/auth/sessions")) if one["current"]]
    (event, *_) = ok(caller.get("/api/auth/events"))
    assert session["user_agent"] == event["user_agent"] == "Mozilla[2J/5.0 (X)"


def test_a_key_that_is_cut_by_one_is_redacted_all_the_same(client: Client) -> None:
    """S27: no key stands in an event."""
    member = client.sign_up()
    body = {"email": member.email, "password": PASSWORD}
    cut = f"{member.api_key[:20]}\x1f{member.api_key[20:]}"
    ok(client.post("/api/auth/login", body, headers={"User-Agent": cut}))
    (event, *_) = ok(member.client.get("/api/auth/events"))
    assert event["user_agent"] == "***"
