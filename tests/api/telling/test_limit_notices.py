"""At 80 % and at 100 % of a limit of a day or month its owner gets a mail, once in each window."""

import pytest
import time_machine

from tests.api.metering.asking import authorize, limit
from tests.api.telling.told import (
    ALL_TOKENS_A_DAY,
    MOST_TOKENS_A_DAY,
    REACHED,
    WARNED,
    events,
    mails,
    names,
    save,
    subjects,
    use_tokens,
)
from tests.clients import Client, Member, ok
from tests.factories.accounts import resume, suspend
from tests.factories.api_keys import make_service_key

_DAY_SECONDS = 86_400


def set_limits(member: Member, *limits: object) -> None:
    app = member.client.app
    operator = Client(app).as_key(make_service_key(app, "accounts"))
    path = f"/api/v1/internal/accounts/{member.id}"
    ok(operator.patch(path, {"limits": list(limits)}))


class TestOnceInAWindow:
    def test_most_is_told_and_then_all(self, member: Member, clock: time_machine.Traveller) -> None:
        use_tokens(member, 79)
        assert (events(member), subjects(member)) == ([], [])
        for _ in range(2):
            use_tokens(member, 1)
        details = limit("tokens", "day", 100, limit="tokens_per_day", environment="live")
        assert events(member) == [(WARNED, {**details, "percent": 80})]
        (mail,) = mails(member)
        assert (mail.to, mail.subject) == (member.email, MOST_TOKENS_A_DAY)
        for text in (mail.text, mail.html):
            assert "have used 80 of 100 tokens a day" in text
            assert "anew on 11 February 2027, 00:00 UTC" in text
            assert "https://app.test/account" in text
        clock.shift(1)
        use_tokens(member, 19)
        save(member)
        assert events(member)[1:] == [(REACHED, {**details, "percent": 100})]
        assert subjects(member) == [ALL_TOKENS_A_DAY]

    @pytest.mark.both_databases
    def test_all_at_once_is_told_as_all_alone(self, member: Member) -> None:
        use_tokens(member, 100)
        use_tokens(member, 0)
        assert names(member) == ["limit:reached tokens_per_day"]
        assert subjects(member) == [ALL_TOKENS_A_DAY]

    def test_the_next_window_is_told_of_again(
        self, member: Member, clock: time_machine.Traveller
    ) -> None:
        """The fourth day's 100 are 80 % of the month's as well."""
        for _ in range(3):
            use_tokens(member, 100)
            assert subjects(member) == [ALL_TOKENS_A_DAY]
            clock.shift(_DAY_SECONDS)
        use_tokens(member, 100)
        month, day = sorted(mails(member), key=lambda mail: mail.subject)
        assert (month.subject, day.subject) == (
            "80 % of your 500 tokens a month are used",
            ALL_TOKENS_A_DAY,
        )
        assert "anew on 1 March 2027, 00:00 UTC" in month.text
        assert sorted(names(member)) == [
            *["limit:reached tokens_per_day"] * 4,
            "limit:warned tokens_per_month",
        ]

    def test_whoever_saves_tells(self, member: Member) -> None:
        """A reader's save leaves the process beside the workers nothing to look at."""
        authorize(member.key_client, "use=tokens:80")
        ok(member.client.get("/api/auth/usage"))
        assert names(member) == ["limit:warned tokens_per_day"]

    def test_requests_are_a_meter_like_others(self, member: Member) -> None:
        assert authorize(member.key_client, "cost=800").status_code == 200
        save(member)
        assert names(member) == ["limit:warned requests_per_month"]
        assert subjects(member) == ["80 % of your 1,000 requests a month are used"]

    def test_test_keys_are_told_of_apart(self, member: Member) -> None:
        test_key = member.create_key(environment="test")["api_key"]
        mails(member)
        use_tokens(member, 80)
        use_tokens(member, 80, test_key)
        told = events(member)
        assert sorted(details["environment"] for _, details in told) == ["live", "test"]
        test, live = sorted(mails(member), key=lambda mail: mail.text, reverse=True)
        assert live.subject == test.subject == MOST_TOKENS_A_DAY
        assert live.text.startswith("The keys of your account")
        assert test.text.startswith("The test keys of your account")


class TestWhichLimits:
    def test_the_operators_replace_the_plans(self, member: Member) -> None:
        set_limits(member, limit("tokens", "day", 10), limit("tokens", "month", None))
        use_tokens(member, 8)
        ((name, details),) = events(member)
        assert (name, details["size"], details["percent"]) == (WARNED, 10, 80)
        assert subjects(member) == ["80 % of your 10 tokens a day are used"]

    def test_one_that_is_raised_and_reached_again_is_told_once(self, member: Member) -> None:
        use_tokens(member, 100)
        set_limits(member, limit("tokens", "day", 200))
        use_tokens(member, 100)
        assert names(member) == ["limit:reached tokens_per_day"]

    def test_one_that_is_lowered_is_told_with_the_next_use(self, member: Member) -> None:
        use_tokens(member, 40)
        set_limits(member, limit("tokens", "day", 50))
        use_tokens(member, 0)
        assert names(member) == ["limit:warned tokens_per_day"]

    def test_one_of_zero_never_warns(self, member: Member) -> None:
        set_limits(member, limit("tokens", "day", 0), limit("pages", "month", 0))
        use_tokens(member, 0)
        assert events(member) == []

    def test_other_windows_and_a_keys_own_are_not_told(self, member: Member) -> None:
        set_limits(member, limit("tokens", "total", 10), limit("tokens", "hour", 10))
        own = [limit("tokens", "day", 10), limit("tokens", "month", 10)]
        key = member.create_key(limits=own)["api_key"]
        use_tokens(member, 10, key)
        assert events(member) == []


class TestWhomItTells:
    @pytest.mark.both_databases
    def test_mails_can_be_switched_off(self, member: Member) -> None:
        """The history tells it all the same."""

        def switch(*, on: bool) -> None:
            ok(member.client.patch("/api/auth/me", {"limit_mails": on}))
            assert ok(member.client.get("/api/auth/limits"))["limit_mails"] is on

        assert ok(member.client.get("/api/auth/limits"))["limit_mails"] is True
        switch(on=False)
        use_tokens(member, 80)
        assert (names(member), subjects(member)) == (["limit:warned tokens_per_day"], [])
        switch(on=True)
        use_tokens(member, 20)
        assert subjects(member) == [ALL_TOKENS_A_DAY]

    def test_an_unconfirmed_address_gets_no_mail(self, member: Member) -> None:
        """S41: it may be a stranger's; the history tells it."""
        other = member.client.sign_up()
        subjects(member)
        use_tokens(other, 100)
        assert (names(other), subjects(other)) == (["limit:reached tokens_per_day"], [])

    def test_a_suspended_account_is_told_when_it_goes_on(self, member: Member) -> None:
        assert authorize(member.key_client, "use=tokens:80").status_code == 200
        suspend(member)
        save(member)
        assert subjects(member) == []
        resume(member)
        use_tokens(member, 0)
        assert (names(member), subjects(member)) == (
            ["limit:warned tokens_per_day"],
            [MOST_TOKENS_A_DAY],
        )

    def test_a_deleted_account_is_told_nothing(self, member: Member) -> None:
        assert authorize(member.key_client, "use=tokens:80").status_code == 200
        ok(member.client.post("/api/auth/me/delete", {"password": member.password}), 204)
        save(member)
        assert subjects(member) == []
