"""Lines of the log that are no request's own: they tell which request they are about."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import pytest
from flask import Flask

from ragauth.web.logs import json_formatter
from tests.clients import PASSWORD, Client
from tests.factories.api_keys import unknown_key

log = logging.getLogger("ragauth")


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, object]]]]:
    """The lines that were logged so far."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(json_formatter())
    log.addHandler(handler)
    yield lambda: [json.loads(line) for line in text.getvalue().splitlines()]
    log.removeHandler(handler)


@pytest.fixture
def gone(make_app: Callable[..., Flask], tmp_path: object) -> Client:
    """A service whose database is not there."""
    return Client(make_app(database_url=f"sqlite:///{tmp_path}/nowhere/ragauth.db"))


def test_a_fault_behind_flask_names_its_request(
    gone: Client, lines: Callable[[], list[dict[str, object]]]
) -> None:
    body = {"email": "ada@example.com", "password": PASSWORD}
    gone.post("/api/auth/login", body, headers={"X-Request-Id": "behind-flask"})
    assert [line["request_id"] for line in lines()] == ["behind-flask"]


def test_a_fault_behind_the_gate_names_its_request(
    gone: Client, lines: Callable[[], list[dict[str, object]]]
) -> None:
    gone.as_key(unknown_key()).get("/api/v1/authorize", headers={"X-Request-Id": "gate"})
    assert [(line["message"], line["request_id"]) for line in lines()] == [
        ("the database did not answer", "gate")
    ]


def test_what_the_gate_hands_on_keeps_its_id(
    gone: Client, lines: Callable[[], list[dict[str, object]]]
) -> None:
    service_key = unknown_key()
    answer = gone.as_key(service_key).post("/api/v1/keys/verify", {"key": "\u00e4"})
    assert {line["request_id"] for line in lines()} == {answer.headers["X-Request-Id"]}


def test_a_fault_names_the_account_where_it_is_known(
    client: Client,
    lines: Callable[[], list[dict[str, object]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    member = client.sign_up()

    def crash(**_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("ragauth.services.sessions.sessions.list_sessions", crash)
    answer = member.client.get("/api/auth/sessions")
    assert answer.status_code == 500
    (line,) = lines()
    assert line["account_id"] == member.id
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert "planted" in str(line["exc_info"])


def test_a_line_between_two_requests_names_none(
    client: Client, lines: Callable[[], list[dict[str, object]]]
) -> None:
    member = client.sign_up()
    member.key_client.get("/api/v1/authorize")
    member.client.get("/api/auth/me")
    log.warning("of nobody's")
    assert "request_id" not in lines()[-1]


def test_without_memory_for_its_traceback_an_error_is_told_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S39: as Python 3.13 tells of it, which compiles the lines of a traceback anew."""
    record = logging.makeLogRecord({"msg": "refused", "exc_info": (KeyError, KeyError(), None)})
    for error in (MemoryError(), SystemError("compile returned NULL")):
        monkeypatch.setattr("traceback.print_exception", Mock(side_effect=error))
        line = json.loads(json_formatter().format(record))
        assert line["exc_info"] == "KeyError: no memory for the traceback"
