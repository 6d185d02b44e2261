"""POST /api/auth/email/resend"""

from flask import Flask

from tests.clients import Client, assert_needs_access_token, assert_same_answer, error, ok
from tests.factories.mails import receive_mail, receive_one

PATH = "/api/auth/email/resend"
VERIFY = "/api/auth/email/verify"
SUBJECT = "Confirm your email address"


class TestSucceeds:
    def test_a_further_mail_comes_and_either_token_is_good(
        self, app: Flask, client: Client
    ) -> None:
        for which in (0, 1):
            member = client.sign_up()
            assert ok(member.client.post(PATH), 202) == {"accepted": True}
            tokens = [mail.token for mail in receive_mail(app)]
            assert len(set(tokens)) == 2
            ok(client.post(VERIFY, {"token": tokens[which]}), 204)
            assert ok(member.client.get("/api/auth/me"))["email_verified"]

    def test_an_address_that_is_confirmed_gets_none(self, app: Flask, client: Client) -> None:
        """S6: and the same answer."""
        member, other = client.sign_up(), client.sign_up()
        answer = other.client.post(PATH)
        token = next(mail.token for mail in receive_mail(app) if mail.to == member.email)
        ok(client.post(VERIFY, {"token": token}), 204)
        assert_same_answer(member.client.post(PATH), answer)
        assert receive_mail(app) == []

    def test_it_is_throttled_for_the_account(self, app: Flask, client: Client) -> None:
        """S9: five an hour, and another account has its own."""
        member, other = client.sign_up(), client.sign_up()
        for _ in range(5):
            ok(member.client.post(PATH), 202)
        error(member.client.post(PATH), 429, "RATE_LIMIT_EXCEEDED")
        ok(other.client.post(PATH), 202)
        assert len([mail for mail in receive_mail(app) if mail.to == member.email]) == 6

    def test_only_the_callers_own_address_gets_a_mail(self, app: Flask, client: Client) -> None:
        member, _other = client.sign_up(), client.sign_up()
        receive_mail(app)
        ok(member.client.post(PATH), 202)
        assert receive_one(app, SUBJECT).to == member.email


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "POST", PATH)
