"""POST /api/v1/leaks/github proves itself by its body: GitHub's signature, with GitHub's keys."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask

from ragauth import clock
from ragauth.services.keys import github_keys
from tests.cases import for_each
from tests.clients import Client, error, issues
from tests.runtime import replace_parts
from tests.servers.github import PATH, Github, found, running_github, send

BODY = json.dumps([found("nothing")]).encode()
IDENTIFIER, SIGNATURE = "Github-Public-Key-Identifier", "Github-Public-Key-Signature"
HOUR = 3600
Wait = Callable[[float], None]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Lets seconds go by."""
    monotonic, passed = clock.monotonic, [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: monotonic() + sum(passed))
    return passed.append


@pytest.fixture
def github() -> Iterator[Github]:
    with running_github() as server:
        yield server


@pytest.fixture
def reporter(github: Github, share_app: Callable[..., Flask]) -> Client:
    app = share_app(github_keys_url="http://127.0.0.1:1")
    # One that knows no keys yet.
    replace_parts(app, github_keys=github_keys.GithubKeys(github.url))
    return Client(app)


def refused(client: Client, body: bytes, headers: dict[str, str], reason: str) -> None:
    error(send(client, body, headers), 401, "AUTHENTICATION_ERROR", reason)


class TestSignatures:
    def test_without_both_headers_nothing_is_asked(self, github: Github, reporter: Client) -> None:
        signed = github.sign(BODY)
        refused(reporter, BODY, {}, "missing")
        for name in signed:
            refused(reporter, BODY, {name: signed[name]}, "missing")
            refused(reporter, BODY, {**signed, name: ""}, "missing")
        member = reporter.sign_up()
        refused(member.key_client, BODY, {}, "missing")
        assert github.asked == 0

    @for_each(
        "signature",
        ["x", "====", "MEUC!", base64.b64encode(b"no DER").decode(), "A" * 5000, "é"],
    )
    def test_what_is_no_signature_is_malformed(
        self, github: Github, reporter: Client, signature: str
    ) -> None:
        refused(reporter, BODY, {IDENTIFIER: "first", SIGNATURE: signature}, "malformed")
        assert github.asked == 0

    @for_each("identifier", ["a b", "x" * 201, "é"])
    def test_an_identifier_has_a_form(
        self, github: Github, reporter: Client, identifier: str
    ) -> None:
        refused(reporter, BODY, {**github.sign(BODY), IDENTIFIER: identifier}, "malformed")

    def test_another_body_by_a_byte_is_refused(self, github: Github, reporter: Client) -> None:
        signed = github.sign(BODY)
        assert send(reporter, BODY, signed).status_code == 200
        for other in (BODY + b" ", BODY[:-1], b"", BODY.replace(b"nothing", b"nothinh")):
            refused(reporter, other, signed, "invalid")

    def test_another_key_and_another_curve_are_refused(
        self, github: Github, reporter: Client
    ) -> None:
        github.add_key("second")
        github.add_key("wrong-curve", ec.SECP384R1())
        refused(reporter, BODY, {**github.sign(BODY, by="second"), IDENTIFIER: "first"}, "invalid")
        refused(reporter, BODY, github.sign(BODY, by="wrong-curve"), "invalid")
        short = {**github.sign(BODY), IDENTIFIER: "wrong-curve"}
        refused(reporter, BODY, short, "invalid")
        assert send(reporter, BODY, github.sign(BODY, by="second")).status_code == 200

    def test_a_key_that_github_does_not_list_signs_nothing(
        self, github: Github, reporter: Client
    ) -> None:
        forger = Github("")
        forger.add_key("mine")
        refused(reporter, BODY, forger.sign(BODY, by="mine"), "invalid")
        refused(reporter, BODY, forger.sign(BODY, by="first"), "invalid")

    def test_a_slash_behind_and_other_methods(self, github: Github, reporter: Client) -> None:
        response = reporter.post(
            f"{PATH}/", data=BODY, headers=github.sign(BODY), content_type="application/json"
        )
        assert response.status_code == 200
        error(reporter.get(PATH), 401, "AUTHENTICATION_ERROR", "missing")
        member = reporter.sign_up()
        error(member.key_client.get(PATH), 405, "VALIDATION_ERROR")


class TestBodies:
    """What is signed may be faulty all the same; what is not signed is not looked at."""

    def signed(self, github: Github, client: Client, body: bytes) -> Any:
        return send(client, body, github.sign(body))

    def test_further_fields_and_missing_places_are_fine(
        self, github: Github, reporter: Client
    ) -> None:
        leaks = [
            {"token": "a", "type": "t"},
            {"token": "b", "type": "t", "url": None, "source": None, "detected_at": {"x": [1]}},
        ]
        response = self.signed(github, reporter, json.dumps(leaks).encode())
        assert [one["label"] for one in response.get_json()] == ["false_positive"] * 2
        assert self.signed(github, reporter, b"[]").get_json() == []

    def test_all_faults_are_named_with_their_entry(self, github: Github, reporter: Client) -> None:
        leaks = [
            {"type": "t"},
            {"token": "\0", "type": "\ud800"},
            {"token": 5, "type": None, "url": 7, "source": []},
            "text",
        ]
        assert set(issues(self.signed(github, reporter, json.dumps(leaks).encode()))) == {
            (0, "token"),
            (1, "token"),
            (1, "type"),
            (2, "token"),
            (2, "type"),
            (2, "url"),
            (2, "source"),
            (3,),
        }

    @for_each(
        "body",
        [
            *(b"", b"{}", b"null", b'"x"', b"5", b"[", b"\xff", b"NaN", b"[1e99999"),
            *(b"[" * 100_000, b"[" * 90_000 + b"]" * 90_000, b'[{"token":1,"token":2}]'),
            b"[" + b"1," * 10_000 + b"1]",
        ],
    )
    def test_what_is_no_array_of_objects_is_a_fault(
        self, github: Github, reporter: Client, body: bytes
    ) -> None:
        error(self.signed(github, reporter, body), 400, "VALIDATION_ERROR")

    def test_ten_thousand_are_answered(self, github: Github, reporter: Client) -> None:
        member = reporter.sign_up()
        body = json.dumps(
            [{"token": f"{n}", "type": "t"} for n in range(9_000)]
            + [{"token": member.api_key, "type": "t"}],
            separators=(",", ":"),
        ).encode()
        judged = self.signed(github, reporter, body).get_json()
        assert [one["label"] for one in judged] == ["false_positive"] * 9_000 + ["true_positive"]

    def test_the_size_is_bounded_before_anything_is_verified(
        self, github: Github, reporter: Client
    ) -> None:
        """S29"""
        largest = b"[" + b" " * (256 * 1024 - 2) + b"]"
        assert self.signed(github, reporter, largest).get_json() == []
        github.asked = 0
        for body in (largest + b" ", b"[" + b" " * 10_000_000):
            error(self.signed(github, reporter, body), 413, "VALIDATION_ERROR")

    def test_another_media_type_is_refused(self, github: Github, reporter: Client) -> None:
        response = reporter.post(
            PATH, data=BODY, headers=github.sign(BODY), content_type="text/plain"
        )
        error(response, 415, "VALIDATION_ERROR")


@contextmanager
def waiting_for(github: Github, reporter: Client) -> Iterator[list[int]]:
    """All places are taken by reports that wait for GitHub's list; their statuses, in the end."""
    github.released.clear()
    statuses: list[int] = []
    waiting = [
        threading.Thread(target=lambda: statuses.append(github.send(reporter, BODY).status_code))
        for _ in range(github_keys._MAX_WAITING)
    ]
    places = reporter.app.extensions["ragauth"].github_keys._places
    for thread in waiting:
        thread.start()
    while places._value:
        threading.Event().wait(0.01)
    yield statuses
    github.released.set()
    for thread in waiting:
        thread.join()


class TestItsKeys:
    def test_they_are_fetched_once_and_again_for_an_unknown_one_a_minute_later(
        self, github: Github, reporter: Client, wait: Wait
    ) -> None:
        for _ in range(3):
            assert github.send(reporter, BODY).status_code == 200
        assert github.asked == 1
        github.add_key("second")
        wait(59)
        refused(reporter, BODY, github.sign(BODY, by="second"), "invalid")
        assert github.asked == 1
        wait(2)
        assert github.send(reporter, BODY, by="second").status_code == 200
        assert github.send(reporter, BODY).status_code == 200
        assert github.asked == 2

    def test_a_flood_of_unknown_identifiers_makes_one_fetch_a_minute(
        self, github: Github, reporter: Client, wait: Wait
    ) -> None:
        """S37: nothing that a client can multiply makes ragauth ask another service as often."""
        for minute in range(1, 4):
            for number in range(20):
                headers = {**github.sign(BODY), IDENTIFIER: f"unknown-{number}"}
                refused(reporter, BODY, headers, "invalid")
            assert github.asked == minute
            wait(61)

    def test_one_that_was_withdrawn_is_forgotten_within_a_day(
        self, github: Github, reporter: Client, wait: Wait
    ) -> None:
        old = github.sign(BODY)
        assert send(reporter, BODY, old).status_code == 200
        github.add_key("second")
        github.withdraw_key("first")
        wait(23 * HOUR)
        assert send(reporter, BODY, old).status_code == 200
        wait(2 * HOUR)
        refused(reporter, BODY, old, "invalid")

    def test_out_of_reach_an_unknown_one_is_503_and_a_cached_one_goes_on(
        self, github: Github, reporter: Client, wait: Wait
    ) -> None:
        github.status = 500
        for _ in range(2):
            response = github.send(reporter, BODY)
            error(response, 503, "EXTERNAL_SERVICE_ERROR")
            assert response.headers["Retry-After"]
        assert github.asked == 1
        github.status = 200
        wait(61)
        assert github.send(reporter, BODY).status_code == 200
        github.status = 500
        github.add_key("second")
        wait(61)
        error(github.send(reporter, BODY, by="second"), 503, "EXTERNAL_SERVICE_ERROR")
        assert github.send(reporter, BODY).status_code == 200
        wait(48 * HOUR)
        assert github.send(reporter, BODY).status_code == 200

    def test_nobody_there_is_503(
        self, github: Github, make_app: Callable[..., Flask], port_of_nobody: int
    ) -> None:
        client = Client(make_app(github_keys_url=f"http://127.0.0.1:{port_of_nobody}"))
        error(github.send(client, BODY), 503, "EXTERNAL_SERVICE_ERROR")

    @for_each(
        "listed",
        [
            *(b"", b"<html>", b"[]", b"{}", b'{"public_keys": {}}', b'{"public_keys": [1, {}]}'),
            *(b"[" * 60_000, b'{"public_keys": [{"key_identifier": "first", "key": "x"}]}'),
        ],
    )
    def test_an_answer_without_a_usable_key_is_no_answer(
        self, github: Github, reporter: Client, listed: bytes
    ) -> None:
        github.body = listed
        error(github.send(reporter, BODY), 503, "EXTERNAL_SERVICE_ERROR")

    def test_an_answer_that_is_too_large_is_not_read_to_its_end(
        self, github: Github, reporter: Client
    ) -> None:
        """S29"""
        github.body = github.answer() + b" " * 70_000
        error(github.send(reporter, BODY), 503, "EXTERNAL_SERVICE_ERROR")

    def test_redirects_are_not_followed(self, github: Github, reporter: Client) -> None:
        with running_github() as other:
            github.status, github.headers = 302, {"Location": other.url}
            error(other.send(reporter, BODY), 503, "EXTERNAL_SERVICE_ERROR")
            assert (github.asked, other.asked) == (1, 0)

    def test_a_packed_answer_is_not_unpacked(self, github: Github, reporter: Client) -> None:
        github.headers = {"Content-Encoding": "gzip"}
        error(github.send(reporter, BODY), 503, "EXTERNAL_SERVICE_ERROR")

    def test_of_many_reports_at_once_none_is_lost_while_the_list_is_in_reach(
        self, github: Github, reporter: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However slow this machine is: a short wait is as long as the whole fetch may take."""
        monkeypatch.setattr(github_keys, "_SHORT_WAIT_SECONDS", github_keys._WHOLE_SECONDS)
        with waiting_for(github, reporter) as statuses:
            threading.Timer(0.05, github.released.set).start()
            assert github.send(reporter, BODY).status_code == 200
        assert statuses == [200, 200]
        assert github.asked == 1

    def test_a_slow_answer_holds_two_threads_and_no_more(
        self, github: Github, reporter: Client
    ) -> None:
        """S38: anybody can send an unknown identifier; further threads are soon free for others."""
        with waiting_for(github, reporter) as statuses:
            error(github.send(reporter, BODY), 503, "EXTERNAL_SERVICE_ERROR")
        assert statuses == [200, 200]
        assert github.asked == 1

    def test_a_fetch_ends_in_time(
        self, github: Github, reporter: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S47: a frozen neighbour is a lost one."""
        monkeypatch.setattr(github_keys, "_WHOLE_SECONDS", 0.1)
        github.released.clear()
        error(github.send(reporter, BODY), 503, "EXTERNAL_SERVICE_ERROR")
