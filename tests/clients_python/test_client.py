"""Both clients at a running ragauth."""

from typing import Any

import pytest
from ragauth_client import (
    AsyncClient,
    AuthenticationFailed,
    Client,
    InvalidRequest,
    NotFound,
    Presented,
    Refused,
)

from tests.cases import for_each
from tests.clients_python.conftest import Vendor
from tests.clients_python.used import used_tokens
from tests.e2e.service import User
from tests.loops import run_beside


class TestVerify:
    def test_a_verdict_tells_whose_key_it_is(self, client: Any, customer: User) -> None:
        verdict = client.verify(customer.api_key, scope="query", use={"tokens": 5})
        assert (verdict.valid, verdict.account_id) == (True, customer.account_id)
        assert verdict.scopes == ["query", "ingest", "manage"]
        assert verdict.expires_at is None
        assert '"tokens-total"' in verdict.headers["RateLimit"]

    def test_a_refusal_has_the_answer_for_the_caller(self, client: Any) -> None:
        verdict = client.verify("none")
        assert (verdict.valid, verdict.status, verdict.reason) == (False, 401, "malformed")
        assert verdict.body["error"]["details"] == verdict.details == {"reason": "malformed"}
        assert verdict.headers["WWW-Authenticate"].startswith("Bearer")

    @for_each("key", ["\0", "ä\ud800", "x" * 100_000, ""])
    def test_any_text_may_be_presented(self, client: Any, key: str) -> None:
        assert client.verify(key).reason == "malformed"

    def test_a_scope_that_is_not_declared_is_an_error(self, client: Any, customer: User) -> None:
        with pytest.raises(InvalidRequest) as caught:
            client.verify(customer.api_key, scope="nothing")
        assert [issue["path"] for issue in caught.value.issues] == [["scope"]]
        assert caught.value.request_id

    def test_a_service_key_that_is_refused_lets_nobody_in(
        self, make_client: Any, vendor: Vendor, customer: User
    ) -> None:
        client = make_client(vendor.url, customer.api_key, on_unavailable="allow")
        assert client.verify(customer.api_key).status == 503
        with pytest.raises(AuthenticationFailed):
            client.settle("rsv_1", {})

    def test_headers_that_nobody_should_send_are_refused_or_ignored(
        self, client: Any, customer: User
    ) -> None:
        odd = {"origin": "ä" * 2000, "client_ip": "x" * 500}
        assert client.check(Presented(api_key=customer.api_key, **odd), scope="query").valid
        refused = client.check(Presented(authorization="Bearer ä"))
        assert (refused.status, refused.reason) == (401, "malformed")


class TestReservations:
    def test_a_refused_key_gets_no_work_done(self, client: Any) -> None:
        verdict = client.verify("none")
        with pytest.raises(Refused):
            client.settling(verdict)

    def test_what_was_not_used_is_given_back(self, client: Any, customer: User) -> None:
        verdict = client.verify(customer.api_key, reserve={"tokens": 100})
        assert used_tokens(customer) == 100
        settled = client.settle(verdict.reservation_id, {"tokens": 12})
        assert (settled.used, settled.released) == ({"tokens": 12}, {"tokens": 88})
        assert client.settle(verdict.reservation_id, {"tokens": 12}) == settled
        assert used_tokens(customer) == 12

    def test_a_report_counts_each_event_once(self, client: Any, customer: User) -> None:
        key_id = client.verify(customer.api_key).key_id
        event = {"id": "job-1", "key_id": key_id, "use": {"tokens": 7}}
        strange = {"id": "job-2", "key_id": "none", "use": {"tokens": 7}}
        assert client.report([event, strange]).accepted == 1
        again = client.report([event])
        assert (again.accepted, again.known, again.rejected) == (0, 1, [])
        assert used_tokens(customer) == 7


def _fail_after_five(client: Client, key: str) -> None:
    with client.reserve(key, {"tokens": 100}) as work:
        work.add("tokens", 5)
        raise RuntimeError


async def _fail_after_five_tokens(client: AsyncClient, key: str) -> None:
    async with client.reserve(key, {"tokens": 100}) as work:
        work.add("tokens", 5)
        raise RuntimeError


class TestWith:
    """`reserve`, as it is written with each client."""

    def test_it_settles_what_was_used_however_it_ends(
        self, sync_client: Client, customer: User
    ) -> None:
        with sync_client.reserve(customer.api_key, {"tokens": 100}, scope="query") as work:
            work.add("tokens", 3)
            work.add("tokens")
        assert work.settlement.used == {"tokens": 4}
        with pytest.raises(RuntimeError):
            _fail_after_five(sync_client, customer.api_key)
        assert used_tokens(customer) == 9

    def test_async_too(self, vendor: Vendor, customer: User) -> None:
        async def work() -> None:
            async with AsyncClient(vendor.url, vendor.service_key) as client:
                async with client.reserve(customer.api_key, {"tokens": 100}) as work:
                    work.add("tokens", 4)
                with pytest.raises(RuntimeError):
                    await _fail_after_five_tokens(client, customer.api_key)
                with pytest.raises(Refused):
                    await _fail_after_five_tokens(client, "none")

        run_beside(work())
        assert used_tokens(customer) == 9

    def test_what_is_refused_does_not_begin(self, sync_client: Client, customer: User) -> None:
        with (
            pytest.raises(Refused) as caught,
            sync_client.reserve(customer.api_key, {"tokens": 10**9}),
        ):
            pytest.fail("it was refused")
        assert caught.value.verdict.status == 429
        assert used_tokens(customer) == 0

    def test_it_settles_once(self, sync_client: Client, customer: User) -> None:
        with sync_client.reserve(customer.api_key, {"tokens": 100}) as work:
            work.add("tokens", 2)
            work.settle()
            work.add("tokens", 50)
        assert used_tokens(customer) == 2

    def test_what_cannot_be_settled_is_in_the_log(
        self, sync_client: Client, customer: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        with sync_client.reserve(customer.api_key, {"tokens": 100}) as work:
            work.add("tokens", 2)
            sync_client.settle(work.verdict.reservation_id, {"tokens": 9})
        assert work.settlement is None
        (line,) = [one.getMessage() for one in caplog.records if one.name == "ragauth_client"]
        assert line.startswith(f"{work.verdict.reservation_id} not settled, used {{'tokens': 2}}: ")

    def test_a_meter_that_was_not_reserved_is_a_mistake_of_the_program(
        self, sync_client: Client, customer: User
    ) -> None:
        with (
            pytest.raises(InvalidRequest),
            sync_client.reserve(customer.api_key, {"tokens": 100}) as work,
        ):
            work.add("pages")

    def test_where_nothing_was_reserved_nothing_is_settled(
        self, sync_client: Client, customer: User
    ) -> None:
        with sync_client.settling(sync_client.verify(customer.api_key)) as work:
            work.add("tokens")
        assert work.settlement is None


def test_an_unknown_account_is_not_found(client: Any) -> None:
    with pytest.raises(NotFound):
        client.get_account("acc_01h455vb4pex5vsknk084sn02q")
