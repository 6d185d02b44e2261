"""POST /compat/ragchats/api/agents/{id}/query/: a question, handed to a real upstream."""

import threading
from collections.abc import Callable, Iterator
from socket import SHUT_RDWR

import httpx
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from ragauth.services.compat.query_upstream import MAX_ANSWER_BYTES, QueryUpstream, TimeLimits
from tests.clients import Client, Member, ok
from tests.compat.ragchats.client import RagChatsClient
from tests.compat.upstream import Behaviour, Upstream, answer, running_upstream
from tests.factories.api_keys import make_service_key
from tests.runtime import replace_parts, runtime_of
from tests.waiting import wait_until

IMPATIENT = TimeLimits(connect=0.5, pause=0.3, whole=0.6, place=0.1)
AGENTS = "/compat/ragchats/api/agents"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running_upstream() as upstream:
        yield upstream


class Bot:
    """An agent with a key of its own, on an application with this upstream."""

    def __init__(self, app: Flask, url: str | None) -> None:
        replace_parts(app, query_upstream=QueryUpstream(url, IMPATIENT))
        self.client = Client(app)
        self.owner: Member = self.client.sign_up()
        response = self.owner.client.post(f"{AGENTS}/", {"name": "Support"})
        self.id = response.get_json()["id"]
        response = self.owner.client.post(f"{AGENTS}/{self.id}/api-keys/", {})
        self.api_key = response.get_json()["key"]

    def ask(
        self, api_key: str | None = None, body: object = None, **options: object
    ) -> TestResponse:
        return self.client.as_user(api_key or self.api_key).post(
            f"{AGENTS}/{self.id}/query/", body or {"message": "Hello"}, **options
        )

    def month_used(self) -> int:
        data = ok(self.client.as_key(self.owner.api_key).get("/api/v1/me"))
        used: int = data["usage"]["this_month"]
        return used


@pytest.fixture
def make_bot(app_with_faces: Flask) -> Iterator[Callable[[str | None], Bot]]:
    kept = runtime_of(app_with_faces).query_upstream
    yield lambda url: Bot(app_with_faces, url)
    runtime_of(app_with_faces).query_upstream.close()
    replace_parts(app_with_faces, query_upstream=kept)


@pytest.fixture
def bot(make_bot: Callable[[str | None], Bot], upstream: Upstream) -> Bot:
    return make_bot(upstream.url)


def refused(response: TestResponse, status: int, word: str) -> None:
    assert response.status_code == status, response.text
    body = response.get_json()
    assert set(body) == {"error", "message", "details"}
    assert body["error"] == word
    assert response.headers["Cache-Control"] == "no-store"


class TestAnswers:
    def test_the_documents_own_curl_works_from_end_to_end(
        self, make_app: Callable[..., Flask], upstream: Upstream
    ) -> None:
        app = make_app(compat=("ragchats",), compat_query_upstream=upstream.url)
        member = Client(app).sign_up()
        client = RagChatsClient("http://auth.test/compat/ragchats", httpx.WSGITransport(app))
        client.log_in(member.email, member.password)
        agent = client.create_agent("Support")
        api_key = client.create_key(agent["id"])
        assert client.ask(agent["id"], api_key, "Hello") == {"answer": "Hi!"}
        assert upstream.questions[0]["body"] == {"message": "Hello"}

    def test_the_upstream_is_told_who_asks_and_whom(self, bot: Bot, upstream: Upstream) -> None:
        """S24: no identity header can be injected; the credential goes no further."""
        forged = {"X-Ragauth-Plan": "scale", "X-Ragauth-Evil": "1", "Cookie": "a=b"}
        response = bot.ask(headers={**forged, "X-Request-Id": "my-request", "X-Other": "x"})
        assert response.get_json() == {"answer": "Hi!"}
        question = upstream.questions[0]
        headers = {name.lower(): value for name, value in question["headers"].items()}
        assert question["path"] == f"/api/agents/{bot.id}/query/"
        assert headers["x-ragauth-account-id"] == bot.owner.id
        assert headers["x-ragauth-plan"] == "trial"
        assert headers["x-ragauth-agent-id"].startswith("agt_")
        assert headers["x-ragauth-key-id"].startswith("key_")
        assert headers["x-request-id"] == "my-request"
        assert {"authorization", "x-api-key", "cookie", "x-ragauth-evil", "x-other"}.isdisjoint(
            headers
        )
        assert bot.api_key not in str(question)

    def test_a_key_of_the_whole_account_may_ask_and_names_the_agent(
        self, bot: Bot, upstream: Upstream
    ) -> None:
        assert bot.ask(bot.owner.api_key).status_code == 200
        assert bot.ask().status_code == 200
        told = [question["headers"]["X-Ragauth-Agent-Id"] for question in upstream.questions]
        assert told[0] == told[1]
        assert told[0].startswith("agt_")

    def test_what_stands_beside_the_message_goes_along(self, bot: Bot, upstream: Upstream) -> None:
        body = {"message": "Größe? 😀", "session": {"id": 7}, "stream": False}
        assert bot.ask(body=body).status_code == 200
        assert upstream.questions[0]["body"] == body

    def test_it_counts_as_one_request_and_says_what_is_left(self, bot: Bot) -> None:
        response = bot.ask()
        assert '"month";r=999' in response.headers["RateLimit"]
        assert bot.month_used() == 1

    def test_the_upstreams_word_on_the_question_is_handed_on(
        self, bot: Bot, upstream: Upstream
    ) -> None:
        upstream.behaviour = answer(429, {"busy": True}, Retry_After="7", Set_Cookie="a=b")
        response = bot.ask()
        assert (response.status_code, response.get_json()) == (429, {"busy": True})
        assert response.headers["Retry-After"] == "7"
        assert "Set-Cookie" not in response.headers

    def test_what_the_upstream_sets_as_a_cookie_never_comes_back(
        self, bot: Bot, upstream: Upstream
    ) -> None:
        upstream.behaviour = answer(200, {}, Set_Cookie="account=1; Path=/")
        bot.ask()
        bot.ask()
        assert "Cookie" not in upstream.questions[1]["headers"]


class TestRefusesKeys:
    def test_a_key_is_asked_for_before_anything_is_asked(
        self, bot: Bot, upstream: Upstream
    ) -> None:
        """S21: agent and scope fail closed."""
        other = bot.client.sign_up()
        token = bot.owner.token
        reader = bot.owner.create_key(scopes=["ingest"])["api_key"]
        another_bots = Bot(bot.client.app, upstream.url).api_key
        service = make_service_key(bot.client.app, "verify")
        for api_key, status, word in [
            ("garbage", 401, "token_malformed"),
            (token, 401, "token_wrong_credential_type"),
            (service, 401, "token_wrong_credential_type"),
            (other.api_key, 403, "wrong_agent"),
            (another_bots, 403, "wrong_agent"),
            (reader, 403, "insufficient_scope"),
        ]:
            refused(bot.ask(api_key), status, word)
        refused(bot.client.post(f"{AGENTS}/{bot.id}/query/"), 401, "token_missing")
        assert upstream.questions == []
        assert bot.month_used() == 0

    def test_no_agent_and_anothers_are_one_answer(self, bot: Bot, upstream: Upstream) -> None:
        """S25: another account's thing and no thing are one answer."""
        stranger = bot.client.sign_up().api_key
        nobodys = "00000000-0000-7000-8000-000000000000"
        answers = [
            bot.client.as_user(stranger).post(f"{AGENTS}/{agent}/query/", {"message": "Hello"})
            for agent in (bot.id, nobodys)
        ]
        assert {(one.status_code, one.data) for one in answers} == {(403, answers[0].data)}

    def test_a_fault_costs_nothing(self, bot: Bot, upstream: Upstream) -> None:
        """S23: a refusal costs no quota."""
        for body in ({"message": ""}, {"message": None}, {"message": ["x"]}, {"massage": "x"}):
            refused(bot.ask(body=body), 400, "validation_error")
        assert upstream.questions == []
        assert bot.month_used() == 0

    def test_a_used_up_minute_is_429(self, bot: Bot, upstream: Upstream) -> None:
        statuses = [bot.ask().status_code for _ in range(61)]
        assert statuses == [200] * 60 + [429]
        assert len(upstream.questions) == 60


class TestBadUpstreams:
    def test_without_one_it_is_503(self, make_bot: Callable[[str | None], Bot]) -> None:
        """S23: and it costs nothing."""
        bot = make_bot(None)
        refused(bot.ask(), 503, "external_service_error")
        assert bot.month_used() == 0

    def test_a_dead_one_is_503_and_says_when_to_come_back(
        self, make_bot: Callable[[str | None], Bot], port_of_nobody: int
    ) -> None:
        response = make_bot(f"http://127.0.0.1:{port_of_nobody}").ask()
        refused(response, 503, "external_service_error")
        assert int(response.headers["Retry-After"]) > 0
        assert "127.0.0.1" not in response.text

    def test_a_slow_one_is_503_within_the_time_out(self, bot: Bot, upstream: Upstream) -> None:
        upstream.behaviour = lambda _: upstream.released.wait(10) or None
        refused(bot.ask(), 503, "external_service_error")

    def test_one_that_drips_is_503_when_the_whole_time_is_over(
        self, bot: Bot, upstream: Upstream
    ) -> None:
        def drip(handler: object) -> None:
            answer(200, b"")(_Lying(handler))
            while not upstream.released.wait(0.05):
                handler.wfile.write(b" ")  # type: ignore[attr-defined]

        upstream.behaviour = drip
        refused(bot.ask(), 503, "external_service_error")

    @pytest.mark.parametrize(
        "behaviour",
        [
            pytest.param(answer(500, {"secret": "stack"}), id="a crash"),
            pytest.param(answer(401, {}), id="refuses us"),
            pytest.param(answer(403, {}), id="forbids us"),
            pytest.param(answer(302, {}, Location="http://127.0.0.1:1/"), id="a redirect"),
            pytest.param(answer(200, b"<html>"), id="not JSON"),
            pytest.param(answer(200, b"[" * 100_000), id="nested too deeply"),
            pytest.param(answer(200, b"\xff"), id="not UTF-8"),
            pytest.param(answer(200, b"0" * (MAX_ANSWER_BYTES + 1)), id="huge"),
            pytest.param(answer(200, {}, Content_Encoding="gzip"), id="packed"),
            pytest.param(lambda handler: handler.wfile.write(b"SSH-2.0\r\n\r\n"), id="no HTTP"),
            pytest.param(lambda handler: handler.connection.shutdown(SHUT_RDWR), id="hangs up"),
        ],
    )
    def test_an_answer_that_is_none_is_502(
        self, bot: Bot, upstream: Upstream, behaviour: Behaviour
    ) -> None:
        # A busy machine takes its time over a large answer.
        replace_parts(
            bot.client.app,
            query_upstream=QueryUpstream(upstream.url, IMPATIENT._replace(pause=5.0, whole=5.0)),
        )
        upstream.behaviour = behaviour
        response = bot.ask()
        refused(response, 502, "external_service_error")
        assert "secret" not in response.text
        assert len(upstream.questions) == 1  # nothing is asked twice, no redirect is followed

    def test_a_full_house_is_503_and_keys_are_still_checked(
        self, bot: Bot, upstream: Upstream
    ) -> None:
        replace_parts(
            bot.client.app,
            query_upstream=QueryUpstream(upstream.url, IMPATIENT._replace(pause=5.0, whole=5.0)),
        )
        upstream.behaviour = lambda handler: (
            (upstream.released.wait(10) and answer(200, {})(handler)) or None
        )
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(bot.ask().status_code))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(statuses) == 2)
        assert bot.client.as_key(bot.api_key).get("/api/v1/authorize").status_code == 200
        upstream.released.set()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] * 4 + [503] * 2


class _Lying:
    """A handler whose answer claims to be longer than what it has sent."""

    def __init__(self, handler: object) -> None:
        self._handler = handler

    def send_header(self, name: str, value: str) -> None:
        value = "100000" if name == "Content-Length" else value
        self._handler.send_header(name, value)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._handler, name)
