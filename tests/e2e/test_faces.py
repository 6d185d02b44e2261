"""The compat faces behind a real gunicorn: the clients of the documents, over HTTP."""

import re

import httpx
import pytest

from tests.compat.ragchats.client import RagChatsClient, RagChatsError
from tests.compat.rst.client import RstClient, RstError
from tests.compat.upstream import running_upstream
from tests.e2e.conftest import NewInstallation

_SECRET = re.compile(r"eyJ[\w-]{10,}\.[\w-]+\.[\w-]+|rst_\w{36}|rag_live_\w{36}")


def test_the_documents_clients_only_change_the_base_url(new_installation: NewInstallation) -> None:
    """S20, S27: dead at once in every worker; no token or key in the log."""
    installation = new_installation("postgres")
    with (
        running_upstream() as upstream,
        installation.serve(
            RAGAUTH_COMPAT="ragchats,rst", RAGAUTH_COMPAT_QUERY_UPSTREAM=upstream.url
        ) as service,
        httpx.HTTPTransport() as transport,
    ):
        rst = RstClient(f"{service.gunicorn.url}/compat/rst", transport)
        rst.register(
            username="hershel",
            email="hershel@example.com",
            password="secureP@ss123",
            full_name="Hershel Moshkovitz",
        )
        rst.log_in("hershel", "secureP@ss123")
        key = rst.create_key("my-app-key")
        chats = RagChatsClient(f"{service.gunicorn.url}/compat/ragchats", transport)
        chats.log_in("hershel@example.com", "secureP@ss123")
        agent = chats.create_agent("Support")
        agents_key = chats.create_key(agent["id"])
        for api_key in (agents_key, key["raw_key"]):
            assert chats.ask(agent["id"], api_key, "Hello") == {"answer": "Hi!"}
        rst.revoke(key["id"])
        for _ in range(20):
            with pytest.raises(RstError) as refusal:
                rst.me(key["raw_key"])
            assert refusal.value.status == 401
            assert service.authorize(key["raw_key"]) == 401
        log = service.gunicorn.log()
    assert '"path": "/compat/ragchats/api/auth/login/"' in log
    assert _SECRET.findall(log) == []
    assert "secureP@ss123" not in log


def test_an_upstream_that_is_away_is_503_and_named_nowhere(
    new_installation: NewInstallation, port_of_nobody: int
) -> None:
    """S27: no secret, such as the password of a setting's URL, in the log."""
    installation = new_installation("sqlite")
    address = f"http://rag:hunter2@127.0.0.1:{port_of_nobody}"
    with (
        installation.serve(
            workers=1, RAGAUTH_COMPAT="ragchats", RAGAUTH_COMPAT_QUERY_UPSTREAM=address
        ) as service,
        httpx.HTTPTransport() as transport,
    ):
        user = service.sign_up()
        chats = RagChatsClient(f"{service.gunicorn.url}/compat/ragchats", transport)
        agent = user.request("POST", "/compat/ragchats/api/agents/", json={"name": "x"}).json()
        with pytest.raises(RagChatsError) as refusal:
            chats.ask(agent["id"], user.api_key, "Hello")
        assert (refusal.value.status, refusal.value.error) == (503, "external_service_error")
        log = service.gunicorn.log()
    assert "the query upstream did not answer" in log
    assert "hunter2" not in log
