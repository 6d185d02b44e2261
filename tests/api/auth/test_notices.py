"""Mails about what happened to an account, beside those of its own routes."""

import time_machine
from flask import Flask

from ragauth import clock
from ragauth.services.sessions.refreshes import REUSE_GRACE
from tests.clients import Client, error, ok
from tests.factories.mails import confirm_address, receive_mail

KEY = "A new API key was created"


def test_a_further_key_is_told_by_its_prefix_and_not_by_its_name(
    app: Flask, client: Client
) -> None:
    """S27: never the key; a name would carry a message to a stranger's address."""
    member = client.sign_up()
    confirm_address(member)
    key = member.create_key(name="Visit evil.example")
    (mail,) = receive_mail(app)
    assert (mail.to, mail.subject) == (member.email, KEY)
    for text in (mail.text, mail.html):
        assert key["prefix"] in text
        assert key["api_key"] not in text
        assert "evil" not in text


def test_a_key_in_the_place_of_another_is_told_too(app: Flask, client: Client) -> None:
    member = client.sign_up()
    confirm_address(member)
    key = ok(member.client.post("/api/auth/api-key/regenerate"))["key"]
    ok(member.client.post(f"/api/auth/api-keys/{key['id']}/rotate", {}), 201)
    assert [mail.subject for mail in receive_mail(app)] == [KEY, KEY]


def test_a_reused_refresh_token_is_told(app: Flask, client: Client) -> None:
    """S13: the session is over, and its owner knows why."""
    member = client.sign_up()
    confirm_address(member)
    body = {"refresh_token": member.refresh_token}
    ok(client.post("/api/auth/token/refresh", body))
    receive_mail(app)
    with time_machine.travel(clock.now() + 2 * REUSE_GRACE, tick=False):
        for _ in range(2):
            response = client.post("/api/auth/token/refresh", body)
            error(response, 401, "AUTHENTICATION_ERROR", "reused")
        (mail,) = receive_mail(app)
    assert (mail.to, mail.subject) == (member.email, "A session was ended for your safety")
