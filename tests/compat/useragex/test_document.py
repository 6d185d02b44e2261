"""useragex's own format is the contract itself."""

from pathlib import Path

import httpx
import pytest
from flask import Flask

from tests.compat.recorded import replay
from tests.compat.useragex.client import UseragexClient, UseragexError


def test_every_request_of_the_document_is_answered_as_it_says(app: Flask) -> None:
    replay(app, Path(__file__).with_name("recorded.json"), may_have_more=True)


def test_a_client_written_from_the_document_works(app: Flask) -> None:
    client = UseragexClient("http://auth.test", httpx.WSGITransport(app))
    account = client.sign_up("dev@example.com", "your-secure-password", "Jane Developer")
    client.log_in("dev@example.com", "your-secure-password")
    assert client.me()["id"] == account["id"]
    old_key = client.api_key
    client.regenerate()
    assert client.call_api("/me")["account"]["id"] == account["id"]
    client.api_key = old_key
    with pytest.raises(UseragexError) as refusal:
        client.call_api("/me")
    assert (refusal.value.status, refusal.value.code) == (401, "AUTHENTICATION_ERROR")
