"""docs/limits.md: its requests are sent in their order, and its answers are what comes."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from ragauth.counters import CountersUnavailable, LmdbCounters
from ragauth.policy import read_policy
from tests.api.metering.asking import authorize, key_with, limit
from tests.clients import Client, Member, error, ok
from tests.docs.markdown import ROOT, Block, blocks, prose
from tests.factories.accounts import set_plan
from tests.factories.api_keys import make_service_key

PAGE = ROOT / "docs" / "limits.md"
_BLOCKS = blocks(PAGE)
_CODES = ("RATE_LIMIT_EXCEEDED", "USAGE_LIMIT_EXCEEDED")
SETTLE, REPORT = "/api/v1/usage/settle", "/api/v1/usage/report"
TOKENS_IN_ALL = limit("tokens", "total", 5000)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime(2027, 2, 10, 12, tzinfo=UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def app(share_app: Callable[..., Flask], clock: time_machine.Traveller) -> Flask:
    """An installation with the policy of the page."""
    (policy,) = [block.text for block in _BLOCKS if block.info == "toml"]
    return share_app(policy=read_policy(policy.encode()))


class Reader:
    """Somebody who sends what the page shows, with the keys and ids that came before."""

    def __init__(self, app: Flask) -> None:
        self._client = Client(app)
        member = self._client.sign_up()
        self._names = {
            "ACCOUNT": member.id,
            "TOKEN": member.token,
            "KEY": member.api_key,
            "SERVICE": make_service_key(app, "verify", "accounts", "usage"),
        }

    def send(self, block: Block) -> TestResponse:
        """The answer; `http NAME=field` remembers what it tells."""
        text = re.sub(r"\$([A-Z_]+)", lambda found: self._names[found[1]], block.text)
        head, _, body = text.partition("\n\n")
        (method, path), *headers = (line.split(maxsplit=1) for line in head.splitlines())
        sent = {name.rstrip(":"): value for name, value in headers}
        if body:
            sent["Content-Type"] = "application/json"
        answer = self._client.request(method, path, headers=sent, data=body)
        assert answer.status_code < 300 or answer.status_code == 429, answer.text
        for pair in block.info.split()[1:]:
            name, _, field = pair.partition("=")
            self._names[name] = answer.get_json()["data"][field]
        return answer


def assert_shown(block: Block, answer: TestResponse) -> None:
    """Its status, headers and body; the page leaves out what it does not speak of."""
    head, _, body = block.text.partition("\n\n")
    status, *headers = head.splitlines()
    assert status == f"HTTP/1.1 {answer.status}"
    for line in headers:
        name, _, value = line.partition(": ")
        assert_equal(value, answer.headers[name])
    if not body:
        return
    if answer.is_json:
        assert_within(json.loads(body), answer.get_json())
    else:
        assert_equal(body.strip(), answer.text.strip().replace("\r\n", "\n"))


def assert_within(shown: Any, told: Any) -> None:
    if isinstance(shown, dict):
        assert shown.keys() <= told.keys()
        for name, value in shown.items():
            assert_within(value, told[name])
    elif isinstance(shown, list):
        assert len(shown) == len(told)
        for mine, other in zip(shown, told, strict=True):
            assert_within(mine, other)
    elif isinstance(shown, str):
        assert_equal(shown, told)
    else:
        assert shown == told


def assert_equal(shown: str, told: str) -> None:
    """The page shortens ids, which differ each time."""
    pattern = re.escape(shown).replace(r"\.\.\.", r"[\w-]+")
    assert re.fullmatch(pattern, told), f"{told}\nis not\n{shown}"


def test_the_answers_are_those_of_the_page(app: Flask) -> None:
    reader = Reader(app)
    answer = None
    compared = 0
    for block in _BLOCKS:
        if block.info.split()[:1] != ["http"]:
            continue
        if block.text.startswith("HTTP/1.1 "):
            assert answer is not None
            assert_shown(block, answer)
            compared += 1
        else:
            answer = reader.send(block)
    assert compared > 8


class Situation:
    """A new account, and a service that asks about its keys."""

    def __init__(self, app: Flask, clock: time_machine.Traveller) -> None:
        self.clock = clock
        self.member: Member = Client(app).sign_up()
        self.service = Client(app).as_key(make_service_key(app, "verify"))

    def ask(self, *queries: str, limits: Any = (), **fields: Any) -> TestResponse:
        """The answer to the last of these questions about a key with these limits."""
        caller = key_with(self.member, *limits, **fields)
        *before, last = queries
        for query in before:
            assert authorize(caller, query).status_code == 200
        return authorize(caller, last)

    def settle(self, *uses: dict[str, int], late_by: int = 0) -> TestResponse:
        """The answer to the last of these settlements of one reservation."""
        made = authorize(self.member.key_client, "reserve=tokens:9")
        reservation_id = made.headers["X-Ragauth-Reservation"]
        self.clock.shift(late_by)
        *before, last = [{"reservation_id": reservation_id, "use": use} for use in uses]
        for body in before:
            ok(self.service.post(SETTLE, body))
        return self.service.post(SETTLE, last)

    def make_key(self, *limits: dict[str, Any]) -> TestResponse:
        return self.member.client.post("/api/auth/api-keys", {"name": "x", "limits": [*limits]})

    def use_a_test_key(self) -> TestResponse:
        caller = key_with(self.member, environment="test")
        set_plan(self.member, "live-only")
        return authorize(caller)

    def report(self, number: int) -> TestResponse:
        return self.service.post(REPORT, {"events": [{}] * number})

    def with_scope(self, scope: str) -> list[TestResponse]:
        app = self.service.app
        other = Client(app).as_key(make_service_key(app, scope))
        return [other.post(path, {}) for path in (SETTLE, REPORT)]

    def without_counters(self) -> TestResponse:
        def fail(*_: object) -> None:
            raise CountersUnavailable("the disk is full")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LmdbCounters, "admit", fail)
            return authorize(self.member.key_client)


# What the page's table tells of, and how it comes about.
CASES: dict[str, Callable[[Situation], TestResponse | list[TestResponse]]] = {
    "a limit of a window up to an hour": lambda at: at.ask(
        *[""] * 6, limits=[limit("requests", "10s", 5)]
    ),
    "a limit of a longer window, a day or a month": lambda at: at.ask(
        "use=tokens:10000", "use=tokens:1"
    ),
    "a total": lambda at: at.ask("use=tokens:5000", "use=tokens:1", limits=[TOKENS_IN_ALL]),
    "more than is left, here of a total": lambda at: at.ask(
        "use=tokens:1200", "use=tokens:4000", limits=[TOKENS_IN_ALL]
    ),
    "more than a limit's whole size": lambda at: at.ask("use=tokens:10001"),
    "a named limit": lambda at: at.ask(
        *["limit=chat"] * 3, limits=[limit("requests", "minute", 2, name="chat", applies="named")]
    ),
    "a test key of a plan without": Situation.use_a_test_key,
    "a meter that the policy does not declare": lambda at: at.ask("use=gold:1"),
    "`requests` as a meter of `use` or `reserve`": lambda at: at.ask("reserve=requests:1"),
    "a meter named twice": lambda at: at.ask("use=tokens:1&use=tokens:2"),
    "an amount that is none": lambda at: at.ask("use=tokens:-1"),
    "settling a reservation that is not known": lambda at: at.service.post(
        SETTLE, {"reservation_id": "rsv_x", "use": {}}
    ),
    "settling another amount than before": lambda at: at.settle({"tokens": 1}, {"tokens": 2}),
    "settling too late": lambda at: at.settle({"tokens": 1}, late_by=900),
    "settling a meter that was not reserved": lambda at: at.settle({"pages": 1}),
    "a report of no events, or of more than 1,000": lambda at: [at.report(0), at.report(1001)],
    "settling or reporting with a customer's key": lambda at: [
        at.member.key_client.post(path, {}) for path in (SETTLE, REPORT)
    ],
    "settling or reporting with a service key without `verify`": lambda at: at.with_scope("usage"),
    "a limit of a window that is none": lambda at: at.make_key(limit("requests", "year", 1)),
    "two limits of one meter and window": lambda at: at.make_key(
        limit("requests", "minute", 1), limit("requests", "60s", 2)
    ),
    "more than 10 limits": lambda at: at.make_key(
        *(limit("requests", f"{seconds}s", 1) for seconds in range(1, 12))
    ),
    "nothing can count: neither Redis nor the host's file": Situation.without_counters,
}


def _refusals() -> list[list[str]]:
    """The cells of the table, without its head."""
    table = prose(PAGE).split("\n## Every refusal\n")[1]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line[:2] == "| "]
    return rows[1:]


def test_every_row_of_refusals_is_tried() -> None:
    assert [row[0] for row in _refusals()] == list(CASES)


@pytest.mark.parametrize(("what", "told", "message"), _refusals())
def test_refusals_are_those_of_the_table(
    app: Flask, clock: time_machine.Traveller, what: str, told: str, message: str
) -> None:
    found = CASES[what](Situation(app, clock))
    for answer in found if isinstance(found, list) else [found]:
        status, *code = told.split(",", maxsplit=1)[0].split()
        body = answer.get_json()["error"]
        assert body["code"] in (code or _CODES)
        error(answer, int(status), body["code"], body.get("details", {}).get("reason"))
        assert body["message"] == message
        if status in ("429", "503"):
            assert ("Retry-After" in answer.headers) == ("no `Retry-After`" not in told)
