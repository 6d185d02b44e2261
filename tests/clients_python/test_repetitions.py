"""What is sent again after a failure, and what never is."""

import json
from dataclasses import replace
from typing import Any

import pytest
from ragauth_client import (
    Conflict,
    InternalError,
    InvalidRequest,
    NotFound,
    RateLimitExceeded,
    Unavailable,
    UnexpectedAnswer,
    UsageLimitExceeded,
    calls,
)
from ragauth_client.exchange import Outcome, Plan

from tests.cases import for_each
from tests.clients_python.scripted import LOST, NOT_SENT, SETTINGS, Script, answer, failure

AWAY = failure(503, "EXTERNAL_SERVICE_ERROR")
BUSY = failure(429, "RATE_LIMIT_EXCEEDED")
CONFLICT = failure(409, "CONFLICT")
GONE = failure(404, "NOT_FOUND")
BAD_GATEWAY = answer(502, "<html>")
VALID = answer(200, {"data": {"valid": True, "code": "VALID", "status": 200, "headers": {}}})
SETTLED = answer(200, {"data": {"reservation_id": "rsv_1", "used": {}, "released": {}}})
REPORTED = answer(200, {"data": {"accepted": 1, "known": 0, "rejected": []}})
ACCOUNT = answer(
    200, {"data": {"id": "acc_1", "plan": "trial", "created_at": "2026-11-27T00:00:00Z"}}
)
DELETED = answer(204)

VERIFY = calls.verify("rag_live_x")
CREATE = calls.create_account(external_id="c-17")
DELETE = calls.delete_account("acc_1")


class TestACheckIsCountedOnce:
    """It counts what it allows, so it is repeated only where it cannot have been counted."""

    def test_it_is_sent_again_where_the_connection_failed_before(self) -> None:
        script = Script([NOT_SENT, NOT_SENT, VALID])
        assert script.carry_out(VERIFY).valid
        assert len(script.sent) == 3

    @for_each("outcome", [LOST, AWAY, BUSY, BAD_GATEWAY, failure(500, "INTERNAL_ERROR")])
    def test_it_is_never_sent_again_where_it_may_have_arrived(self, outcome: Outcome) -> None:
        script = Script([NOT_SENT, outcome])
        verdict = script.carry_out(VERIFY)
        assert (verdict.valid, verdict.status) == (False, 503)

    def test_it_is_over_within_its_time_whatever_happens(self) -> None:
        script = Script([NOT_SENT])
        assert script.carry_out(VERIFY, replace(SETTINGS, verify_timeout=0.05)).status == 503
        script = Script([VALID])
        script.carry_out(VERIFY, replace(SETTINGS, verify_timeout=0.05))
        assert script.sent[0].timeout <= 0.05


class TestOtherCalls:
    @for_each("outcome", [NOT_SENT, LOST, AWAY, BUSY, BAD_GATEWAY])
    @for_each(
        ("plan", "success"),
        [
            (calls.settle("rsv_1", {"tokens": 12}), SETTLED),
            (calls.report([{"id": "1", "key_id": "key_1", "use": {"tokens": 1}}]), REPORTED),
            (CREATE, ACCOUNT),
            (calls.get_account("acc_1"), ACCOUNT),
            (calls.change_account("acc_1", plan="pro"), ACCOUNT),
            (DELETE, DELETED),
        ],
    )
    def test_they_are_repeated_as_they_were(
        self, plan: Plan[Any], success: Outcome, outcome: Outcome
    ) -> None:
        script = Script([outcome, outcome, success])
        script.carry_out(plan)
        first, *others = script.sent
        assert others == [first] * 2
        assert script.pauses[0] < script.pauses[1]

    def test_what_makes_something_carries_one_idempotency_key_through_all_tries(self) -> None:
        for plan in (CREATE, calls.create_key("acc_1", name="x"), calls.rotate_key("key_1")):
            script = Script([LOST, failure(400, "VALIDATION_ERROR")])
            with pytest.raises(InvalidRequest):
                script.carry_out(plan)
            first, second = [step.headers["Idempotency-Key"] for step in script.sent]
            assert first == second
        assert CREATE.idempotency_key != calls.create_account(external_id="x").idempotency_key
        named = calls.rotate_key("key_1", idempotency_key="mine")
        assert named.idempotency_key == "mine"

    def test_they_give_up_in_the_end(self) -> None:
        script = Script([LOST] * 4)
        with pytest.raises(Unavailable) as caught:
            script.carry_out(DELETE)
        assert (caught.value.status, caught.value.may_have_arrived) == (None, True)

    @for_each(
        ("outcome", "error"),
        [
            (failure(400, "VALIDATION_ERROR"), InvalidRequest),
            (failure(500, "INTERNAL_ERROR"), InternalError),
            (failure(429, "USAGE_LIMIT_EXCEEDED"), UsageLimitExceeded),
            (answer(429, {"error": {"code": "RATE_LIMIT_EXCEEDED", "message": "x"}},
                    retry_after="60"), RateLimitExceeded),
            (CONFLICT, Conflict),
            (GONE, NotFound),
            (answer(404, "<html>"), UnexpectedAnswer),
            (answer(302, None, location="/login"), UnexpectedAnswer),
            (answer(200, {"data": []}), UnexpectedAnswer),
            (answer(200, None), UnexpectedAnswer),
        ],
    )  # fmt: skip
    def test_what_would_not_change_is_not_repeated(
        self, outcome: Outcome, error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            Script([outcome]).carry_out(CREATE)

    def test_a_conflict_with_an_earlier_try_that_is_under_way_is_waited_for(self) -> None:
        assert Script([LOST, CONFLICT, ACCOUNT]).carry_out(CREATE).id == "acc_1"
        with pytest.raises(Conflict):
            Script([NOT_SENT, CONFLICT]).carry_out(CREATE)

    def test_what_an_earlier_try_deleted_is_deleted(self) -> None:
        assert Script([LOST, GONE]).carry_out(DELETE) is None
        with pytest.raises(NotFound):
            Script([NOT_SENT, GONE]).carry_out(DELETE)

    def test_ragauth_says_how_long_to_wait(self) -> None:
        busy = {"error": {"code": "RATE_LIMIT_EXCEEDED", "message": "x"}}
        script = Script([answer(429, busy, retry_after="3"), DELETED])
        script.carry_out(DELETE)
        assert script.pauses == [3]


class TestErrors:
    def test_an_error_tells_everything(self) -> None:
        issues = [{"path": ["email"], "message": "Required"}]
        error = {"code": "VALIDATION_ERROR", "message": "email: Required"}
        body = {"error": error | {"details": {"issues": issues}}}
        with pytest.raises(InvalidRequest) as caught:
            Script([answer(400, body, x_request_id="r1")]).carry_out(CREATE)
        told = caught.value
        assert (told.code, told.status, told.request_id) == ("VALIDATION_ERROR", 400, "r1")
        assert (told.issues, told.message) == (issues, "email: Required")
        assert str(told) == "email: Required (400, VALIDATION_ERROR, request r1)"

    @for_each("name", ["", ".", ".."])
    def test_what_would_be_another_path_is_no_id(self, name: str) -> None:
        for call in (calls.delete_account, calls.revoke_key, calls.list_keys):
            with pytest.raises(ValueError, match="is no id"):
                call(name)

    def test_an_id_is_one_segment(self) -> None:
        path = calls.get_account(calls.by_external_id("c/17?x#ä ..")).path
        assert path == "/api/v1/internal/accounts/ext:c%2F17%3Fx%23%C3%A4%20.."


class TestAnOutageOfACheck:
    @pytest.mark.parametrize("outcome", [LOST, AWAY, BUSY, failure(500, "INTERNAL_ERROR")])
    def test_it_refuses_unless_told_otherwise(
        self, outcome: Outcome, caplog: pytest.LogCaptureFixture
    ) -> None:
        refused = Script([outcome]).carry_out(VERIFY)
        assert (refused.valid, refused.status, refused.headers) == (
            False,
            503,
            {"Retry-After": "2"},
        )
        assert json.loads(refused.content)["error"]["code"] == "EXTERNAL_SERVICE_ERROR"
        allowed = Script([outcome]).carry_out(VERIFY, replace(SETTINGS, on_unavailable="allow"))
        assert (allowed.valid, allowed.is_unchecked, allowed.account_id) == (True, True, None)
        assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]

    @for_each(
        "outcome",
        [
            failure(401, "AUTHENTICATION_ERROR"),
            failure(403, "AUTHORIZATION_ERROR"),
            answer(404, "<html>"),
            answer(200, {"data": {"valid": "yes", "code": "", "status": 200, "headers": {}}}),
            answer(200, {"data": {"valid": True, "code": "", "status": 429, "headers": {}}}),
            answer(200, {"data": {"valid": False, "code": "", "status": 200, "headers": {}}}),
            answer(200, {"data": {"status": 200}}),
            answer(200, {"data": None}),
        ],
    )
    def test_what_is_no_outage_is_never_let_in(self, outcome: Outcome) -> None:
        for settings in (SETTINGS, replace(SETTINGS, on_unavailable="allow")):
            assert Script([outcome]).carry_out(VERIFY, settings).status == 503

    def test_a_question_that_is_none_is_an_error(self) -> None:
        with pytest.raises(InvalidRequest):
            Script([failure(400, "VALIDATION_ERROR")]).carry_out(VERIFY)
