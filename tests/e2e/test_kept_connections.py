"""Key checks on raw connections: whole, in pieces, one after another, from clients of all kinds."""

import json
import socket
import time
from contextlib import ExitStack

import pytest

from tests.e2e.conftest import on_sqlite
from tests.e2e.raw_connections import Answer, authorize, connection, read_answer
from tests.e2e.service import Service, User

pytestmark = on_sqlite


@pytest.fixture
def key(user: User) -> str:
    return user.create_key()[1]


def test_a_connection_is_kept_from_check_to_check(service: Service, key: str) -> None:
    with connection(service) as client:
        for _ in range(5):
            client.sendall(authorize(key))
            answer = read_answer(client)
            assert (answer.status, answer.body) == (200, b"")
            assert answer.headers["connection"] == "keep-alive"


def test_two_checks_sent_at_once_are_both_answered(service: Service, key: str) -> None:
    with connection(service) as client:
        client.sendall(authorize(key) + authorize("rag_live_wrong") + authorize(key))
        assert [read_answer(client).status for _ in range(3)] == [200, 401, 200]


def test_a_check_may_come_in_pieces(service: Service, key: str) -> None:
    with connection(service) as client:
        for _ in range(2):
            question = authorize(key)
            for piece in (question[:3], question[3:40], question[40:-1], question[-1:]):
                client.sendall(piece)
            assert read_answer(client).status == 200


def test_a_question_to_verify_may_come_in_pieces_too(service: Service, key: str) -> None:
    asker = json.loads(
        service.installation.command(
            "service-keys", "create", "--name", "gateway", "--scope", "verify", "--json"
        )
    )["api_key"]
    body = json.dumps({"key": key}).encode()
    head = (
        "POST /api/v1/keys/verify HTTP/1.1\r\nHost: ragauth.test\r\n"
        f"Authorization: Bearer {asker}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with connection(service) as client:
        for pieces in ((head + body,), (head, body), (head + body[:4], body[4:]), (head + body,)):
            for piece in pieces:
                client.sendall(piece)
            answer = read_answer(client)
            assert json.loads(answer.body)["data"]["valid"] is True


def test_the_answer_is_the_same_from_whichever_thread(service: Service, key: str) -> None:
    """A question with a body goes to the pool; one without is answered where it arrives."""

    def ask(presented: str, more: str) -> Answer:
        with connection(service) as client:
            client.sendall(authorize(presented, more=f"X-Request-Id: same\r\n{more}") + b"x" * 5)
            return read_answer(client)

    for presented in (key, "rag_live_wrong", "a.b.c"):
        here, there = ask(presented, ""), ask(presented, "Content-Length: 5\r\n")
        assert (here.status, here.body) == (there.status, there.body)
        moving = {"date", "ratelimit"}
        assert [name for name in here.headers if name not in moving] == [
            name for name in there.headers if name not in moving
        ]
        assert {name: value for name, value in here.headers.items() if name not in moving} == {
            name: value for name, value in there.headers.items() if name not in moving
        }


def test_a_body_is_not_read_and_not_taken_for_the_next_request(service: Service, key: str) -> None:
    with connection(service) as client:
        client.sendall(authorize(key, method="POST", more="Content-Length: 5\r\n") + b"hello")
        assert read_answer(client).status == 200
        client.sendall(authorize(key))
        assert read_answer(client).status == 200


@pytest.mark.parametrize(
    ("version", "more"), [("1.1", "Connection: close\r\n"), ("1.0", "")], ids=["close", "1.0"]
)
def test_a_client_that_wants_no_more_is_told_so(
    service: Service, key: str, version: str, more: str
) -> None:
    with connection(service) as client:
        client.sendall(authorize(key, version=version, more=more))
        assert read_answer(client).headers["connection"] == "close"
        assert client.recv(1) == b""


def test_the_answer_to_head_has_no_body(service: Service) -> None:
    with connection(service) as client:
        client.sendall(authorize("rag_live_wrong", method="HEAD"))
        answer = read_answer(client, has_body=False)
        assert answer.status == 401
        client.sendall(authorize("rag_live_wrong"))
        assert read_answer(client).status == 401


def test_what_is_not_http_is_refused_in_json_here_too(service: Service, key: str) -> None:
    with connection(service) as client:
        client.sendall(authorize(key))
        assert read_answer(client).status == 200
        client.sendall(authorize(key, more="nonsense\r\n"))
        answer = read_answer(client)
        assert answer.status == 400
        assert json.loads(answer.body)["error"]["code"] == "VALIDATION_ERROR"
        assert client.recv(1) == b""


def test_a_client_that_reads_no_answers_holds_up_nobody(service: Service, key: str) -> None:
    with connection(service) as greedy, connection(service) as other:
        greedy.settimeout(1)
        flood = authorize(key) * 50
        try:
            for _ in range(200):
                greedy.sendall(flood)
        except OSError:
            pass  # its connection is full, or closed already
        for _ in range(3):
            other.sendall(authorize(key))
            assert read_answer(other).status == 200


def test_clients_that_send_nothing_take_no_thread(service: Service, key: str) -> None:
    with ExitStack() as clients:
        for _ in range(40):
            clients.enter_context(connection(service))
        assert service.client.get("/healthz", timeout=8).status_code == 200
        assert service.authorize(key) == 200


@pytest.mark.parametrize(
    "sent",
    [b"garbage\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
    ids=["not HTTP", "close"],
)
def test_clients_that_do_not_close_hold_up_no_check(
    service: Service, key: str, sent: bytes
) -> None:
    """Their ends are awaited in the poller: each would cost the checks two seconds otherwise."""
    with ExitStack() as clients:
        held = [clients.enter_context(connection(service)) for _ in range(20)]
        for client in held:
            client.sendall(sent)
        for client in held:
            assert client.recv(12).startswith(b"HTTP/1.1 ")
        checked = clients.enter_context(connection(service))
        checked.settimeout(20)
        for _ in range(3):
            checked.sendall(authorize(key))
            assert read_answer(checked).status == 200


def test_a_connection_that_was_closed_is_let_go(service: Service) -> None:
    with connection(service) as client:
        client.sendall(b"garbage\r\n\r\n")
        while client.recv(4096):
            pass
        client.settimeout(10)
        with pytest.raises(OSError):  # noqa: PT011 - a reset or a broken pipe
            _send_on(client)


def _send_on(client: socket.socket) -> None:
    for _ in range(100):
        client.sendall(b"more" * 1000)
        time.sleep(0.1)


def test_clients_with_half_a_head_take_no_thread(service: Service, key: str) -> None:
    with ExitStack() as clients:
        for _ in range(40):
            slow = clients.enter_context(connection(service))
            slow.sendall(b"GET /healthz HT")
        kept = clients.enter_context(connection(service))
        kept.sendall(authorize(key))
        assert read_answer(kept).status == 200
        kept.sendall(b"GET /hea")
        assert service.client.get("/healthz", timeout=8).status_code == 200
        assert service.authorize(key) == 200
        kept.sendall(b"lthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(kept).status == 200
