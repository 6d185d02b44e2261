"""RAG Chats' document, replayed at /compat/ragchats."""

from pathlib import Path

import httpx
import pytest
import time_machine
from flask import Flask

from tests.clients import PASSWORD, Client
from tests.compat.ragchats.client import RagChatsClient, RagChatsError
from tests.compat.recorded import replay

PREFIX = "/compat/ragchats"


def test_every_request_of_the_document_is_answered_as_it_says(
    app_with_faces: Flask, client: Client
) -> None:
    client.sign_up(email="user@example.com", name="John Doe")
    replay(app_with_faces, Path(__file__).with_name("recorded.json"), prefix=PREFIX)


def test_a_client_written_from_the_document_works(app_with_faces: Flask, client: Client) -> None:
    member = client.sign_up(name="Ada King Lovelace")
    user_client = RagChatsClient(f"http://auth.test{PREFIX}", httpx.WSGITransport(app_with_faces))
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        user = user_client.log_in(member.email, PASSWORD)
        assert (user["firstName"], user["lastName"]) == ("Ada", "King Lovelace")
        agent = user_client.create_agent("Support")
        for _ in range(3):
            clock.shift(7200)
            assert user_client.agents() == [agent]
        api_key = user_client.create_key(agent["id"])
        with pytest.raises(RagChatsError) as refusal:
            user_client.ask(agent["id"], api_key, "Hello")
        assert refusal.value.status == 503  # nobody set an upstream
        user_client.log_out()
        with pytest.raises(RagChatsError) as refusal:
            user_client.agents()
        assert (refusal.value.status, refusal.value.error) == (401, "token_revoked")
