"""POST /api/auth/password/forgot"""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.cases import for_each
from tests.clients import PASSWORD, Client, assert_same_answer, issues, ok
from tests.factories.accounts import suspend
from tests.factories.hashing import cpu_of_alternating
from tests.factories.mails import receive_mail, receive_one

PATH = "/api/auth/password/forgot"
SUBJECT = "Set a new password"


class TestSucceeds:
    def test_the_owner_gets_a_mail_with_a_link(self, app: Flask, client: Client) -> None:
        member = client.sign_up()
        assert ok(client.post(PATH, {"email": member.email}), 202) == {"accepted": True}
        mail = receive_one(app, SUBJECT)
        assert mail.to == member.email
        assert f"https://app.test/reset-password#token={mail.token}" in mail.text
        assert len(mail.token) >= 43

    def test_without_a_dashboard_the_mail_holds_the_code(
        self, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        app = make_app(dashboard_url=None)
        member = client.sign_up()
        ok(Client(app).post(PATH, {"email": member.email}), 202)
        mail = receive_one(app, SUBJECT)
        assert "http" not in mail.text
        code = mail.text.split("\n\n")[1].strip()
        body = {"token": code, "new_password": "an otter in the reeds"}
        ok(client.post("/api/auth/password/reset", body), 204)

    @pytest.mark.both_databases
    def test_it_goes_to_the_address_of_the_account_whatever_its_presented_spelling(
        self, app: Flask, client: Client
    ) -> None:
        """A look-alike that folds to the same address may be somebody else's mailbox."""
        client.sign_up(email="Kate@example.com")
        receive_mail(app)
        ok(client.post(PATH, {"email": " \N{KELVIN SIGN}ATE@EXAMPLE.COM "}), 202)
        assert [mail.to for mail in receive_mail(app)] == ["Kate@example.com"]

    def test_it_is_in_the_history(self, app: Flask, client: Client) -> None:
        member = client.sign_up()
        ok(client.post(PATH, {"email": member.email}, headers={"User-Agent": "A browser"}), 202)
        mail = receive_one(app, SUBJECT)
        response = member.client.get("/api/auth/events")
        event = ok(response)[0]
        assert event["name"] == "account:password_reset_requested"
        assert (event["ip"], event["user_agent"]) == ("127.0.0.1", "A browser")
        assert mail.token not in response.text


class TestTellsNothing:
    def test_everyone_gets_the_same_answer_and_only_an_active_account_a_mail(
        self, app: Flask, client: Client
    ) -> None:
        """S6: same text, same status for an unknown, a suspended and a deleted account."""
        active, suspended, deleted = (client.sign_up() for _ in range(3))
        suspend(suspended)
        ok(deleted.client.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
        receive_mail(app)
        answer = client.post(PATH, {"email": active.email})
        ok(answer, 202)
        for email in (suspended.email, deleted.email, "nobody@example.com"):
            assert_same_answer(client.post(PATH, {"email": email}), answer)
        assert [mail.to for mail in receive_mail(app)] == [active.email]

    def test_an_unknown_address_takes_the_same_time(self, client: Client) -> None:
        """S6: the medians of two samples of 40 timings differ by less than a quarter.

        A hash, or the mail's two rows written for one of them alone, would cost more than that.
        """
        names = [f"somebody{number}@example.com" for number in range(40)]
        for name in names[::8]:  # the other accounts are those of no one
            client.sign_up(email=name.replace("somebody", "member"))
        known = [client.sign_up().email for _ in range(40)]
        client.post(PATH, {"email": "first@example.com"})

        def asks(emails: list[str]) -> Callable[[int], object]:
            return lambda turn: ok(client.post(PATH, {"email": emails[turn]}), 202)

        of_known, of_unknown = cpu_of_alternating(asks(known), asks(names))
        assert 0.75 < of_known / of_unknown < 1.33

    def test_past_its_budget_an_address_gets_the_same_answer_and_no_mail(
        self, app: Flask, client: Client
    ) -> None:
        """S6 and S41: an owner is spared a flood of mails, and the asker learns nothing."""
        member = client.sign_up()
        receive_mail(app)
        answers = [client.post(PATH, {"email": member.email}) for _ in range(8)]
        for answer in answers:
            assert_same_answer(answer, answers[0])
        assert len(receive_mail(app)) == 3

    def test_a_second_mail_leaves_the_first_ones_token_good(
        self, app: Flask, client: Client
    ) -> None:
        """Or whoever knows the address could keep its owner from ever using one."""
        member = client.sign_up()
        ok(client.post(PATH, {"email": member.email}), 202)
        first = receive_one(app, SUBJECT)
        ok(client.post(PATH, {"email": member.email}), 202)
        body = {"token": first.token, "new_password": "an otter in the reeds"}
        ok(client.post("/api/auth/password/reset", body), 204)


class TestRejectsInput:
    @for_each("email", ["", "nobody", "a@b", "x" * 300 + "@example.com"])
    def test_what_is_no_address_is_a_fault(self, client: Client, email: str) -> None:
        assert set(issues(client.post(PATH, {"email": email}))) == {("email",)}

    def test_it_is_required_and_nothing_else_is_known(self, client: Client) -> None:
        assert issues(client.post(PATH, {"username": "ada"})) == {
            ("email",): "Required",
            ("username",): "Unknown field",
        }
