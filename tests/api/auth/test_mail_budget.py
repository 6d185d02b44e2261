"""S41: one recipient gets a bounded number of mails, whatever causes them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from ragauth import clock, transaction
from ragauth.counters import CountersUnavailable
from ragauth.models.outbox_depth import mail_depth
from ragauth.services.accounts.password_reset import answer_request
from ragauth.services.limits.limits import current_limits
from ragauth.services.mail import budget
from ragauth.services.mail.sending import send_due_mail
from ragauth.services.outbox.rounds import Round
from tests.clients import PASSWORD, Client, Member, error, ok
from tests.factories.mails import Mail, confirm_address, receive_mail
from tests.factories.second_factors import enrol
from tests.servers.smtp import SmtpServer, start_smtp

NOON = "2026-03-01T12:00:00Z"
RESET = "Set a new password"
KEY = "A new API key was created"


@pytest.fixture
def traveller() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def smtp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    # To read the system's hundred authorities costs more than to send a mail.
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "no-authority.pem"))
    with start_smtp(tmp_path) as server:
        yield server


def make_keys(member: Member, number: int = 1) -> None:
    for _ in range(number):
        ok(member.client.post("/api/auth/api-key/regenerate"))


def forget(client: Client, email: str) -> None:
    ok(client.post("/api/auth/password/forgot", {"email": email}), 202)


def reset(client: Client, token: str) -> int:
    body = {"token": token, "new_password": "an otter in the reeds"}
    return client.post("/api/auth/password/reset", body).status_code


def works(member: Member, token: str) -> bool:
    """Whether it could be used: the account's own address is refused as a password, unspent."""
    body = {"token": token, "new_password": member.email}
    response = Client(member.client.app).post("/api/auth/password/reset", body)
    assert response.status_code in (400, 401)
    return response.status_code == 400


def subjects(mails: list[Mail]) -> Counter[str]:
    return Counter(mail.subject for mail in mails)


class TestAnUnconfirmedAddress:
    def test_gets_confirmations_and_resets_and_nothing_else(
        self, app: Flask, client: Client, traveller: time_machine.Traveller
    ) -> None:
        """S41: whoever signs up with a stranger's address cannot have that one told of keys."""
        member = client.sign_up()
        make_keys(member, 12)
        agent = member.create_agent()
        ok(member.client.post(f"/api/agents/{agent['id']}/api-keys", {"name": "bound"}), 201)
        key = member.create_key()
        ok(member.client.post(f"/api/auth/api-keys/{key['id']}/rotate", {}), 201)
        authenticator = enrol(member)
        challenge = {"email": member.email, "password": PASSWORD}
        mfa_token = ok(client.post("/api/auth/login", challenge))["mfa_token"]
        body = {"mfa_token": mfa_token, "code": authenticator.recovery_codes[0]}
        ok(client.post("/api/auth/login/mfa", body))
        traveller.shift(60)
        both = {"password": PASSWORD, "code": authenticator.code()}
        ok(member.client.post("/api/auth/second-factor/delete", both), 204)
        change = {"new_email": "elsewhere@example.com", "password": PASSWORD}
        ok(member.client.post("/api/auth/email/change", change), 202)
        new = {"current_password": PASSWORD, "new_password": "an otter in the reeds"}
        ok(member.client.post("/api/auth/password/change", new), 204)
        ok(client.post("/api/auth/token/refresh", {"refresh_token": member.refresh_token}))
        traveller.shift(60)
        again = client.post("/api/auth/token/refresh", {"refresh_token": member.refresh_token})
        error(again, 401, "AUTHENTICATION_ERROR", "reused")
        forget(client, member.email)
        told = subjects([mail for mail in receive_mail(app) if mail.to == member.email])
        assert told == {"Confirm your email address": 1, RESET: 1}


class TestAConfirmedAddress:
    def test_gets_ten_an_hour_of_which_every_cause_takes_its_share(
        self, app: Flask, client: Client, traveller: time_machine.Traveller
    ) -> None:
        """S41: other accounts and another spelling count too; another recipient does not."""
        member, stranger, other = (client.sign_up() for _ in range(3))
        confirm_address(member)
        for _ in range(4):
            body = {"new_email": f" {member.email.upper()} ", "password": PASSWORD}
            ok(stranger.client.post("/api/auth/email/change", body), 202)
            # Each change takes back the mail of the one before it that was not sent yet.
            assert len(receive_mail(app)) == 1
        make_keys(member, 12)
        # Of mails that are due at the same moment any may be sent first.
        traveller.shift(1)
        enrol(member)
        mails = receive_mail(app)
        assert subjects(mails) == {KEY: 5}
        ok(other.client.post("/api/auth/email/resend"), 202)
        assert [mail.to for mail in receive_mail(app)] == [other.email]
        traveller.shift(3600)
        body = {"refresh_token": member.refresh_token}
        pair = ok(client.post("/api/auth/token/refresh", body))
        ok(client.as_user(pair["token"]).post("/api/auth/api-key/regenerate"))
        assert subjects(receive_mail(app)) == {KEY: 1}

    def test_resets_and_the_rest_do_not_use_up_each_other(
        self, app: Flask, client: Client, traveller: time_machine.Traveller
    ) -> None:
        """S41: resets have a budget of their own."""
        member = client.sign_up()
        confirm_address(member)
        make_keys(member, 20)
        receive_mail(app)
        forget(client, member.email)
        assert subjects(receive_mail(app)) == {RESET: 1}
        second = client.sign_up()
        confirm_address(second)
        for _ in range(20):
            forget(client, second.email)
        assert subjects(receive_mail(app)) == {RESET: 3}
        make_keys(second)
        assert subjects(receive_mail(app)) == {KEY: 1}

    def test_signing_up_and_leaving_again_and_again_does_not_go_round_it(
        self, app: Flask, client: Client
    ) -> None:
        """S41: the budget is the address's, not the account's."""
        for _ in range(12):
            member = client.sign_up(email="victim@example.com")
            receive_mail(app)
            ok(member.client.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
        client.sign_up(email="victim@example.com")
        assert receive_mail(app) == []

    def test_a_mail_that_is_left_out_is_in_the_log_and_in_the_history_with_what_it_was_of(
        self,
        app: Flask,
        client: Client,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """S41: an act is done and told in the history, whatever becomes of its mail."""
        member = client.sign_up()
        confirm_address(member)
        make_keys(member, 10)
        receive_mail(app)
        events = ok(member.client.get("/api/auth/events?limit=3"))
        assert [event["name"] for event in events[:2]] == [
            "account:mail_given_up",
            "api_key:rotated",
        ]
        assert events[0]["details"] == {"mail": "key_created", "cause": "throttled"}
        (line,) = [r for r in caplog.records if "a mail was left out" in r.getMessage()]
        assert member.email not in json.dumps(line.__dict__, default=str)

    def test_who_asks_for_anothers_address_learns_nothing_of_its_mail(
        self, app: Flask, client: Client
    ) -> None:
        """S6: the same answer, and no event, whether the mail went or not."""
        member, stranger = client.sign_up(), client.sign_up()
        confirm_address(member)
        make_keys(member, 9)
        receive_mail(app)
        answers = []
        for _ in range(2):
            body = {"new_email": member.email, "password": PASSWORD}
            answers.append(stranger.client.post("/api/auth/email/change", body))
            receive_mail(app)
        assert {answer.status_code for answer in answers} == {202}
        assert "account:mail_given_up" not in stranger.event_names()

    def test_a_change_that_was_rolled_back_counts_nothing(self, app: Flask, client: Client) -> None:
        member = client.sign_up()
        confirm_address(member)
        for _ in range(12):
            # The plan's keys are used up after four more: what fails queues nothing.
            member.client.post("/api/auth/api-keys", {"name": "further"})
        assert len(receive_mail(app)) == 4
        make_keys(member, 9)
        assert len(receive_mail(app)) == 5

    def test_what_a_dead_server_did_not_take_does_not_count(
        self, client: Client, make_app: Callable[..., Flask], smtp: SmtpServer
    ) -> None:
        """S33: the mails wait, however often they are tried, and are sent later."""
        mailing = make_app(mail_url=smtp.url)
        member = Client(mailing).sign_up()
        with mailing.app_context():
            smtp.answer_to_content = "451 not now"
            for minutes in range(0, 60, 5):
                with time_machine.travel(clock.now() + timedelta(minutes=minutes), tick=False):
                    assert send_due_mail(answer_reset=answer_request).given_up == 0
            smtp.answer_to_content = "250 OK"
            with time_machine.travel(clock.now() + timedelta(minutes=61), tick=False):
                assert send_due_mail(answer_reset=answer_request).sent == 1
        assert [delivery.recipients for delivery in smtp.deliveries] == [[member.email]]

    def test_it_is_exact_for_many_senders_at_once(self, app: Flask, client: Client) -> None:
        """S41: whichever process sends."""
        member = client.sign_up()
        confirm_address(member)
        make_keys(member, 24)

        def send(_number: int) -> Round:
            with app.app_context():
                return send_due_mail(answer_reset=answer_request)

        with ThreadPoolExecutor(4) as threads:
            rounds = list(threads.map(send, range(4)))
        assert sum(done.sent for done in rounds) == len(receive_mail(app)) == 9
        assert sum(done.given_up for done in rounds) == 15

    def test_while_nothing_counts_mail_waits(
        self, app: Flask, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S41 holds without counters too; nothing is lost."""
        member = client.sign_up()
        forget(client, member.email)

        def away(*_: object) -> None:
            raise CountersUnavailable("the disk is full")

        with app.app_context(), monkeypatch.context() as broken:
            broken.setattr(current_limits().counters, "read_window", away)
            assert receive_mail(app) == []
        with time_machine.travel(clock.now() + timedelta(seconds=10), tick=True):
            assert subjects(receive_mail(app)) == {"Confirm your email address": 1, RESET: 1}


class TestAForgottenPassword:
    def test_at_any_moment_after_the_owner_asked_a_mail_with_a_working_token_is_there(
        self, app: Flask, client: Client, traveller: time_machine.Traveller
    ) -> None:
        """S41: whatever strangers ask for, and at most five mails go in any hour.

        Somebody asks all the time, so any of these requests may be the owner's.
        """
        member = client.sign_up()
        sent: list[tuple[int, str]] = []
        for minute in range(0, 180, 4):
            for _ in range(2):
                forget(client, member.email)
            mails = [mail for mail in receive_mail(app) if mail.subject == RESET]
            sent += [(minute, mail.token) for mail in mails]
            newest_at, newest = sent[-1]
            assert works(member, newest)
            # So the next one is there two minutes before this one's token is dead.
            assert minute - newest_at <= 28
            traveller.shift(4 * 60)
        times = [minute for minute, _ in sent]
        assert times[:4] == [0, 0, 4, 32]
        assert max(sum(start <= at < start + 60 for at in times) for start in times) == 5

    @pytest.mark.parametrize("asked_at", [1, 27, 29, 45, 59])
    def test_who_asks_once_amid_a_strangers_requests_can_reset(
        self, app: Flask, client: Client, traveller: time_machine.Traveller, asked_at: int
    ) -> None:
        """S41: any time in the half hour after it; without another request by anybody."""
        member = client.sign_up()
        for _ in range(6):
            forget(client, member.email)
        mails = receive_mail(app)
        traveller.shift(60 * asked_at)
        forget(client, member.email)
        for _ in range(11):
            mails += receive_mail(app)
            last = [mail.token for mail in mails if mail.subject == RESET][-1]
            assert works(member, last)
            traveller.shift(3 * 60 - 1)
        assert subjects(mails)[RESET] <= 5

    def test_many_requests_wait_as_one(
        self, app: Flask, client: Client, traveller: time_machine.Traveller
    ) -> None:
        member = client.sign_up()
        for _ in range(12):
            forget(client, member.email)
        receive_mail(app)
        with app.app_context(), transaction.read_only():
            # One that waits for its turn is not mail that the server did not take.
            assert mail_depth(now=clock.now()).waiting == 0
            assert mail_depth(now=clock.now() + timedelta(hours=1)).waiting == 1
        traveller.shift(28 * 60)
        assert subjects(receive_mail(app)) == {RESET: 1}
        traveller.shift(60 * 60)
        assert receive_mail(app) == []

    def test_a_reset_takes_back_the_request_that_waits_and_a_new_one_waits_again(
        self, app: Flask, client: Client, traveller: time_machine.Traveller
    ) -> None:
        member = client.sign_up()
        confirm_address(member)
        for _ in range(5):
            forget(client, member.email)
        token = next(mail.token for mail in receive_mail(app) if mail.subject == RESET)
        assert reset(client, token) == 204
        receive_mail(app)
        traveller.shift(28 * 60)
        assert receive_mail(app) == []
        for _ in range(2):
            forget(client, member.email)
        assert subjects(receive_mail(app)) == {RESET: 1}

    def test_who_has_no_account_uses_up_nothing(self, app: Flask, client: Client) -> None:
        """Or strangers could keep a newcomer waiting who forgets the password at once."""
        for _ in range(5):
            forget(client, "newcomer@example.com")
        receive_mail(app)
        client.sign_up(email="newcomer@example.com")
        forget(client, "newcomer@example.com")
        assert subjects(receive_mail(app))[RESET] == 1

    def test_a_place_that_no_mail_used_is_free_again(self, app: Flask) -> None:
        with app.app_context():
            places = [budget.take_reset_place("ada@example.com") for _ in range(4)]
            assert [place.is_taken for place in places] == [True, True, True, False]
            places[3].give_back()
            assert not budget.take_reset_place("ada@example.com").is_taken
            places[2].give_back()
            assert budget.take_reset_place("ada@example.com").is_taken
