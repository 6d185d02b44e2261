"""RST's document, replayed at /compat/rst."""

from pathlib import Path

import httpx
import pytest
from flask import Flask

from tests.compat.recorded import replay
from tests.compat.rst.client import RstClient, RstError

PREFIX = "/compat/rst"


def test_every_request_of_the_document_is_answered_as_it_says(app_with_faces: Flask) -> None:
    replay(app_with_faces, Path(__file__).with_name("recorded.json"), prefix=PREFIX)


def test_a_client_written_from_the_document_works(app_with_faces: Flask) -> None:
    client = RstClient(f"http://auth.test{PREFIX}", httpx.WSGITransport(app_with_faces))
    user = client.register(
        username="hershel",
        email="hershel@example.com",
        password="secureP@ss123",
        full_name="Hershel Moshkovitz",
    )
    client.log_in("hershel", "secureP@ss123")
    key = client.create_key("my-app-key")
    assert client.me(key["raw_key"]) == user
    assert [listed["id"] for listed in client.list_keys()] == [key["id"]]
    client.revoke(key["id"])
    assert client.list_keys() == []
    with pytest.raises(RstError) as refusal:
        client.me(key["raw_key"])
    assert refusal.value.status == 401


def test_faults_have_the_form_of_the_vendors_kind(app_with_faces: Flask) -> None:
    client = RstClient(f"http://auth.test{PREFIX}", httpx.WSGITransport(app_with_faces))
    with pytest.raises(RstError) as refusal:
        client.register(username="her shel", email="hershel@example.com", password="secureP@ss123")
    assert refusal.value.status == 422
    assert {(fault["type"], *fault["loc"]) for fault in refusal.value.detail} == {
        ("value_error", "body", "username"),
        ("missing", "body", "full_name"),
    }
    with pytest.raises(RstError) as refusal:
        client.log_in("nobody", "secureP@ss123")
    assert (refusal.value.status, refusal.value.detail) == (401, "Incorrect username or password")
