"""What one request costs grows with its bytes, wherever its text is searched or shown (S37)."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bcrypt
import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

from tests.applications import make_settings, make_testing_app
from tests.cases import for_each
from tests.clients import Client, assert_same_answer, error, issues
from tests.costs import assert_linear, repeated
from tests.factories.api_keys import make_service_key
from tests.runtime import runtime_of

# What has made a search, a normal form or a parser slow before, here or elsewhere.
UNITS = [
    *("eyJ", "eyJhbGciOiJI.", "rag_live_", "a", "a.", " ", "/", "/a", "9", "[", '"\\', "a,", ";a="),
    *("a&", "%41", "xn--", "@a", "\u0315\u0316", "\u0344", "é"),
]
# Of an answer, its headers included, to a request of whatever size.
MOST_ANSWERED = 16 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What a hostile text may be put into; `json` may have it in names and in values."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    json: Any = None


Place = Callable[[str], Request]


def _raw(text: str) -> str:
    """As the bytes of a header or a path stand in WSGI's environ."""
    return text.encode("utf-8").decode("latin-1").replace("\n", "")


def _body(path: str, **fields: Any) -> Place:
    """`TEXT` stands for the text in a field's value; `NAME` is a field that is named so."""

    def place(text: str) -> Request:
        body = {
            (text if name == "NAME" else name): _put(value, text) for name, value in fields.items()
        }
        return Request("POST", path, json=body)

    return place


def _put(value: Any, text: str) -> Any:
    if isinstance(value, list):
        return [_put(inner, text) for inner in value]
    if isinstance(value, dict):
        return {_put(name, text): _put(inner, text) for name, inner in value.items()}
    return value.replace("TEXT", text) if isinstance(value, str) else value


def _header(name: str, method: str, path: str, before: str = "") -> Place:
    body = {"email": "ghost@example.com", "password": "some password"} if method == "POST" else None
    names = name.split()
    return lambda text: Request(method, path, dict.fromkeys(names, before + _raw(text)), json=body)


def _query(path: str, template: str) -> Place:
    return lambda text: Request("GET", path, query=template.replace("TEXT", text))


def _escaped(path: str, template: str) -> Place:
    return lambda text: Request("GET", path, query=template.replace("TEXT", quote(text, safe="")))


def _path(path: str) -> Place:
    return lambda text: Request("GET", path + _raw(text))


AUTH, CHATS, RST, UNKEY = "/api/auth", "/compat/ragchats/api", "/compat/rst/v1", "/compat/unkey/v2"
_SCOPES = ("verify", "accounts", "keys", "usage", "webhooks")
_TOKEN = "eyJTEXT.eyJTEXT." + "a" * 86
# Whatever stands in one of these, the others are read all the same.
_TOGETHER = "User-Agent X-Request-Id Cookie Accept Accept-Encoding Referer Sec-Fetch-Site Range"
_HEADERS = [
    *(f"{_TOGETHER} If-None-Match", "Authorization", "X-API-Key", "Origin", "Host", "Forwarded"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Content-Type"),
]

# By the credential that lets it in: none, a token, a customer's key, a service's.
OPEN: dict[str, Place] = {
    **{
        f"{what} {path}": _body(path, **fields)
        for path, name, fields in [
            (f"{AUTH}/login", "email", {}),
            (f"{CHATS}/auth/login", "email", {}),
            (f"{RST}/auth/login", "username", {}),
            (f"{AUTH}/signup", "email", {}),
            (f"{RST}/auth/register", "username", {"email": "a@example.com", "full_name": "A"}),
        ]
        for what, fields in [
            ("a field's name", {"NAME": 1, **fields}),
            ("a password", {**fields, name: "ghost@example.com", "password": "TEXT"}),
            ("a login name", {**fields, name: "TEXT", "password": "some password"}),
            ("an address", {**fields, name: "a@TEXT.com", "password": "some password"}),
            ("names within", {**fields, name: [{"TEXT": [{"TEXT": 1}]}], "password": {"TEXT": 1}}),
        ]
    },
    "names": _body(f"{AUTH}/signup", email="TEXT", password="TEXT", name="TEXT", username="TEXT"),
    "forgot": _body(f"{AUTH}/password/forgot", email="TEXT"),
    "reset": _body(f"{AUTH}/password/reset", token="TEXT", new_password="TEXT"),
    "mail token": _body(f"{AUTH}/email/verify", token="TEXT"),
    "a refresh token": _body(f"{CHATS}/auth/token/refresh", refresh=_TOKEN),
    "a refresh token's cookie": _header("Cookie", "POST", f"{AUTH}/token/refresh"),
    "second step": _body(f"{AUTH}/login/mfa", mfa_token="TEXT", code="TEXT"),
    "a leaked key": _body("/api/v1/keys/revoke", key="TEXT"),
    **{f"{name} of a login": _header(name, "POST", f"{AUTH}/login") for name in _HEADERS},
    **{f"{name} of a check": _header(name, "GET", "/api/v1/authorize") for name in _HEADERS},
    "a bearer": _header("Authorization", "GET", f"{AUTH}/me", "Bearer "),
    "a bearer of a face": _header("Authorization", "GET", f"{RST}/me", "Bearer "),
    "a preflight": lambda text: Request(
        "OPTIONS",
        f"{AUTH}/login",
        {
            "Origin": "https://app.example.com",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": _raw(text),
        },
    ),
    **{
        f"a path below {path}": _path(path)
        for path in ("/", "/api/v1/", "/api/v1/authorize/", f"{AUTH}/", f"{RST}/me/", "/docs/")
    },
}
TOKEN: dict[str, Place] = {
    "an agent": _body("/api/agents", name="TEXT", description="TEXT"),
    "an agent of a face": _body(f"{CHATS}/agents", name="TEXT", description="TEXT"),
    "a key": _body(
        f"{AUTH}/api-keys",
        name="TEXT",
        scopes=["TEXT"],
        expires_at="TEXT",
        agent_id="TEXT",
        allowed_ips=["TEXT"],
        allowed_origins=["https://TEXT"],
        kind="TEXT",
    ),
    "metadata": _body(f"{AUTH}/api-keys", name=["TEXT"], metadata={"TEXT": ["TEXT", {"TEXT": 1}]}),
    "new password": _body(f"{AUTH}/password/change", current_password="TEXT", new_password="TEXT"),
    "new address": _body(f"{AUTH}/email/change", new_email="TEXT", password="TEXT"),
    "a cursor": _escaped(f"{AUTH}/api-keys", "cursor=TEXT&limit=TEXT"),
    "days": _escaped(f"{AUTH}/usage", "cursor=TEXT&from=TEXT"),
    "a parameter's name": _escaped(f"{AUTH}/api-keys", "TEXT=1"),
    "a bare query": _query(f"{AUTH}/api-keys", "TEXT"),
    "an id": _path(f"{AUTH}/api-keys/"),
    "an id of a face": _path(f"{RST}/auth/api-keys/"),
}
KEY: dict[str, Place] = {
    "a check's query": _query("/api/v1/authorize", "TEXT"),
    "a check's parameters": _escaped("/api/v1/authorize", "scope=TEXT&agent_id=TEXT&cost=TEXT"),
    "a check's path": _path("/api/v1/authorize/"),
    "a question to an agent": _body(f"{CHATS}/agents/TEXT/query", message="TEXT", NAME=1),
}
SERVICE: dict[str, Place] = {
    "a key to verify": _body("/api/v1/keys/verify", key="TEXT"),
    "a question": _body(
        *("/api/v1/keys/verify",),
        **dict.fromkeys(("key", "scope", "agent_id", "client_ip", "origin", "NAME"), "TEXT"),
    ),
    "a key to verify of a face": _body(f"{UNKEY}/keys.verifyKey", key="TEXT"),
    "permissions in a question": _body(f"{UNKEY}/keys.verifyKey", key="x", permissions="TEXT"),
    "a question of a face": _body(
        *(f"{UNKEY}/keys.verifyKey",),
        **{"key": "x", "keyspaces": ["TEXT"], "tags": ["TEXT"], "NAME": 1},
        ratelimits=[{"name": "TEXT", "limit": "TEXT", "TEXT": 1}],
    ),
    "a key of a face": _body(
        f"{UNKEY}/keys.createKey",
        **dict.fromkeys(("apiId", "name", "externalId", "prefix", "expires"), "TEXT"),
        **{name: ["TEXT"] for name in ("roles", "permissions", "ratelimits")},
        meta={"TEXT": ["TEXT", {"TEXT": 1}]},
        credits={"remaining": "TEXT", "refill": {"interval": "TEXT", "TEXT": 1}},
    ),
    "an identity": _body(f"{UNKEY}/identities.getIdentity", identity="TEXT"),
    "a query over usage": _body(f"{UNKEY}/analytics.getVerifications", query="TEXT"),
    "a webhook": _body(
        "/api/v1/internal/webhooks", url="https://TEXT/TEXT?TEXT", events=["TEXT"], NAME=1
    ),
    "a webhook's user": _body("/api/v1/internal/webhooks", url="https://TEXT@TEXT/"),
    "whose address": _escaped("/api/v1/internal/accounts", "email=TEXT&external_id=TEXT"),
}
PLACES = {"": OPEN, "token": TOKEN, "key": KEY, "service": SERVICE}


@pytest.fixture(scope="module")
def every_face(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """With every face, a dashboard of another origin and the refresh token in a cookie; on a
    database that no other test empties.
    """
    folder = tmp_path_factory.mktemp("large")
    path = shutil.copy(sqlite_template, folder)
    app = make_testing_app(
        replace(
            make_settings(folder, f"sqlite:///{path}"),
            compat=("ragchats", "rst", "unkey"),
            cors_origins=("https://app.example.com",),
            refresh_cookie=True,
        )
    )
    yield app
    runtime_of(app).close()


@pytest.fixture(scope="module")
def credentials(every_face: Flask) -> dict[str, dict[str, str]]:
    """Headers that let a request in."""
    client = Client(every_face)
    body = {"email": "large@example.com", "password": "correct horse battery staple"}
    signed_up = client.post("/api/auth/signup", body).get_json()["data"]
    return {
        "": {},
        "token": {"Authorization": f"Bearer {signed_up['token']}"},
        "key": {"X-API-Key": signed_up["api_key"]},
        "service": {"X-API-Key": make_service_key(every_face, *_SCOPES)},
    }


def _call(app: Flask, request: Request, headers: dict[str, str]) -> Callable[[], None]:
    """Made ready, so that what the test itself does to it is not measured."""
    data = None if request.json is None else json.dumps(request.json, ensure_ascii=False).encode()
    builder = EnvironBuilder(method=request.method, data=data, content_type="application/json")
    environ = builder.get_environ()
    environ["PATH_INFO"], environ["QUERY_STRING"] = request.path, _raw(request.query)
    for name, value in {**headers, **request.headers}.items():
        variable = name.upper().replace("-", "_")
        environ[variable if variable == "CONTENT_TYPE" else f"HTTP_{variable}"] = value

    def call() -> None:
        answer: list[Any] = []
        body = b"".join(
            app.wsgi_app(environ, lambda status, headers, _=None: answer.extend((status, headers)))
        )
        assert not answer[0].startswith("500"), body
        length = len(body) + sum(len(name) + len(value) for name, value in answer[1])
        assert length <= MOST_ANSWERED

    return call


@for_each("credential,name", [(each, name) for each, places in PLACES.items() for name in places])
def test_the_time_grows_with_the_text_and_the_answer_does_not(
    every_face: Flask,
    credentials: dict[str, dict[str, str]],
    credential: str,
    name: str,
) -> None:
    """S37: in a name, a value, a header, a path or a query, on every face."""
    place = PLACES[credential][name]
    for unit in UNITS:

        def prepare(length: int, unit: str = unit) -> Callable[[], object]:
            request = place(repeated(unit, length))
            return _call(every_face, request, credentials[credential])

        assert_linear(
            prepare, floor_seconds=0.01, first_length=32_000, lengths=(4_000, 16_000, 64_000)
        )


class TestFaults:
    MANY = 5_000

    @pytest.mark.parametrize(
        "path", ["/api/auth/login", "/compat/ragchats/api/auth/login", "/compat/rst/v1/auth/login"]
    )
    def test_thousands_of_unknown_fields_have_an_answer_of_bounded_size(
        self, every_face: Flask, path: str
    ) -> None:
        """S37: the known fields' faults are among those that are told."""
        body = {f"{number:x}": 1 for number in range(self.MANY)}
        response = Client(every_face).post(path, body)
        assert response.status_code in (400, 422)
        assert len(response.data) < MOST_ANSWERED
        assert response.text.count('"Required"') == 2

    def test_thousands_of_unknown_parameters_too(
        self, every_face: Flask, credentials: dict[str, dict[str, str]]
    ) -> None:
        client = Client(every_face, credentials["token"])
        query = "&".join(f"{number:x}" for number in range(self.MANY))
        for query_string in (query, f"{query}&{query}"):
            assert len(issues(client.get(f"/api/auth/api-keys?{query_string}"))) == 101

    def test_a_hundred_are_told_and_then_that_there_are_more(self, every_face: Flask) -> None:
        """S37: all faults at once, as far as a person reads."""
        for many, told in ((97, 99), (98, 100), (99, 101), (5_000, 101)):
            body = {f"{number:x}": 1 for number in range(many)}
            found = issues(Client(every_face).post("/api/auth/login", body))
            assert len(found) == told
            assert {("email",), ("password",)} <= set(found)
            assert (found.get(()) == "There are more faults") is (told == 101)

    def test_a_name_is_told_up_to_a_hundred_characters(self, every_face: Flask) -> None:
        body = {"a" * 100: 1, "b" * 101: 1, "é" * 9_000: 1, "email": "x", "password": "x"}
        assert set(issues(Client(every_face).post("/api/auth/login", body))) == {
            ("a" * 100,),
            ("b" * 100 + "…",),
            ("é" * 100 + "…",),
        }


class TestPasswords:
    """S37: what no account can have is told so, or is simply wrong, without being normalised."""

    LONG = "a" + "\u0315\u0316" * 5_000

    def test_a_new_one_is_too_long(self, client: Client) -> None:
        message = "Must be at most 128 characters long"
        body = {"email": "ada@example.com", "password": self.LONG}
        assert issues(client.post("/api/auth/signup", body)) == {("password",): message}
        member = client.sign_up()
        for path, fields in (
            ("/api/auth/password/change", {"current_password": member.password}),
            ("/api/auth/password/reset", {"token": "x"}),
        ):
            response = member.client.post(path, {**fields, "new_password": self.LONG})
            assert issues(response) == {("new_password",): message}

    def test_a_presented_one_is_wrong_and_hashed_as_any_other(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The same for an account, for an unknown one and for a shorter password."""
        member = client.sign_up()
        hashed: list[int] = []
        check = bcrypt.checkpw

        def checkpw(password: bytes, stored: bytes) -> bool:
            hashed.append(len(password))
            return check(password, stored)

        monkeypatch.setattr(bcrypt, "checkpw", checkpw)
        answers = [
            client.post("/api/auth/login", {"email": email, "password": password})
            for email in (member.email, "nobody@example.com")
            for password in (self.LONG, "wrong password")
        ]
        for answer in answers:
            error(answer, 401, "AUTHENTICATION_ERROR", "invalid")
            assert_same_answer(answer, answers[0])
        assert hashed == [64] * 4

    def test_one_that_only_looks_long_is_taken(self, client: Client) -> None:
        """S1: 128 code points after NFKC may be 512 before."""
        composed = "\N{GREEK SMALL LETTER ALPHA WITH PSILI AND VARIA AND YPOGEGRAMMENI}" * 128
        typed = "\N{GREEK SMALL LETTER ALPHA}\u0313\u0300\u0345" * 128
        member = client.sign_up(password=typed)
        client.log_in(replace(member, password=composed))


class TestOddBytes:
    """S37: what a parser of Python's refuses by raising is a fault of the request."""

    def test_a_query_that_is_not_utf_8_names_no_parameter(
        self, every_face: Flask, credentials: dict[str, dict[str, str]]
    ) -> None:
        odd = {"QUERY_STRING": "\xff\xfe=1"}
        client = Client(every_face, credentials["token"])
        found = issues(client.get("/api/auth/api-keys", environ_overrides=odd))
        assert found == {("%FF%FE",): "Unknown field"}
        response = client.post(f"{RST}/auth/api-keys", {"b": 1}, environ_overrides=odd)
        places = {tuple(fault["loc"]) for fault in response.get_json()["detail"]}
        assert places == {("query", "%FF%FE"), ("body", "name"), ("body", "b")}

    @for_each("length", ["9" * 5_000, "9" * 20, "-1", "1_0", "0x1", "\xb2", " "])
    def test_a_length_that_is_no_length_is_not_a_crash(
        self, every_face: Flask, credentials: dict[str, dict[str, str]], length: str
    ) -> None:
        client = Client(every_face, credentials["service"])
        for path in ("/api/v1/keys/verify", "/api/auth/login"):
            response = client.post(path, {"key": "x"}, environ_overrides={"CONTENT_LENGTH": length})
            error(response, response.status_code, "VALIDATION_ERROR")

    @for_each("number", ["9" * 60_000, "-" + "9" * 5_000, "1e999999", "0." + "1" * 60_000])
    def test_a_number_of_thousands_of_digits_is_a_fault(
        self, every_face: Flask, credentials: dict[str, dict[str, str]], number: str
    ) -> None:
        client = Client(every_face, credentials["service"])
        data = f'{{"key": "x", "cost": {number}}}'
        issues(client.post("/api/v1/keys/verify", data=data, content_type="application/json"))
