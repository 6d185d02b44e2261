"""What a question may use, reserve and name, and which faults it is told of."""

import re
from typing import Any

from tests.api.metering.asking import authorize, key_with, left, limit
from tests.cases import for_each
from tests.clients import Client, Member, error, issues, ok

VERIFY = "/api/v1/keys/verify"
FORM = "Must be a meter and an amount from 0 to 1000000000000: tokens:1200"
UNKNOWN = "There is no such meter; there are: tokens, pages"
REQUESTS = "Requests are counted by themselves, and `cost` says how many they are"
AMOUNT = "Must be between 0 and 1000000000000"


def faults(response: Any) -> list[tuple[list[str | int], str]]:
    details = error(response, 400, "VALIDATION_ERROR")
    return [(issue["path"], issue["message"]) for issue in details["issues"]]


class TestAuthorize:
    @for_each("name", ["use", "reserve"])
    @for_each(
        ("values", "messages"),
        [
            *(
                ([value], [FORM])
                for value in (
                    *("", "tokens", "tokens:", ":5", "tokens:-1", "tokens:1.5", "tokens:1e3"),
                    *("tokens:+1", "tokens: 1", "Tokens:1", "tokens:1000000000001", "tokens:1:2"),
                    *("tokens:" + "9" * 200, "tokens%3A%D9%A1", "x" * 400, "tokens:1,pages:2"),
                )
            ),
            (["gold:1"], [UNKNOWN]),
            (["requests:1"], [REQUESTS]),
            (["tokens:1", "tokens:1"], ["The meter tokens is named more than once"]),
            (["tokens:1", "gold:2", "x"], [FORM, UNKNOWN]),
        ],
    )
    def test_each_fault_of_an_amount_is_told(
        self, member: Member, name: str, values: list[str], messages: list[str]
    ) -> None:
        query = "&".join(f"{name}={value}" for value in values)
        assert faults(authorize(member.key_client, query)) == [
            ([name], message) for message in messages
        ]

    def test_all_faults_are_told_at_once_and_a_key_comes_first(self, member: Member) -> None:
        query = "use=x&reserve=gold:1&cost=-1&scope=no"
        told = {path[0] for path, _ in faults(authorize(member.key_client, query))}
        assert told == {"use", "reserve", "cost", "scope"}
        refused = authorize(Client(member.client.app).as_key("garbage"), query)
        error(refused, 401, "AUTHENTICATION_ERROR", "malformed")

    def test_amounts_may_be_escaped_and_go_to_the_bounds(self, member: Member) -> None:
        caller = key_with(member, limit("tokens", "total", 10**12))
        assert left(authorize(caller, "%75se=tokens%3A0"))["key-tokens-total"] == 10**12
        assert left(authorize(caller, f"use=tokens:{10**12}"))["key-tokens-total"] == 0

    def test_the_document_allows_what_the_service_takes(self, member: Member) -> None:
        document = member.client.get("/openapi.json").get_json()
        parameters = document["paths"]["/api/v1/authorize"]["get"]["parameters"]
        (pattern,) = (
            one["schema"]["items"]["pattern"] for one in parameters if one["name"] == "use"
        )
        for amount in (
            "0",
            "7",
            "9" * 12,
            "1" + "0" * 12,
            "1" + "0" * 11 + "1",
            "9" * 13,
            "",
            "-1",
        ):
            is_taken = authorize(member.key_client, f"use=tokens:{amount}").status_code == 200
            assert is_taken == (re.search(pattern, f"tokens:{amount}") is not None), amount

    def test_what_is_used_and_what_is_reserved_count_together(self, member: Member) -> None:
        caller = key_with(member, limit("tokens", "total", 100))
        assert left(authorize(caller, "use=tokens:30&reserve=tokens:50"))["key-tokens-total"] == 20

    def test_a_reservation_is_told_in_a_header_that_is_always_there(self, member: Member) -> None:
        caller = key_with(member)
        answer = authorize(caller, "reserve=tokens:0")
        assert answer.headers["X-Ragauth-Reservation"].startswith("rsv_")
        assert len(answer.headers["X-Ragauth-Reservation"]) <= 200
        assert authorize(caller, "use=tokens:5").headers["X-Ragauth-Reservation"] == ""
        refused = authorize(key_with(member, limit("tokens", "day", 1)), "reserve=tokens:2")
        assert refused.status_code == 429
        assert "X-Ragauth-Reservation" not in refused.headers


class TestVerify:
    @for_each("name", ["use", "reserve"])
    @for_each(
        ("value", "told"),
        [
            *(
                (value, {(): "Must be an object of amounts by meter"})
                for value in ([], "tokens:1", 5, True)
            ),
            ({"gold": 1, "requests": 1}, {("gold",): UNKNOWN, ("requests",): REQUESTS}),
            *(
                ({"tokens": amount}, {("tokens",): message})
                for amount, message in (
                    (-1, AMOUNT),
                    (10**12 + 1, AMOUNT),
                    ("1", "Must be a whole number"),
                    (1.0, "Must be a whole number"),
                    (True, "Must be a whole number"),
                    (None, "May not be null"),
                    ({}, "Must be a whole number"),
                )
            ),
        ],
    )
    def test_each_fault_of_an_amount_has_its_path(
        self, service: Client, name: str, value: Any, told: dict[tuple[str, ...], str]
    ) -> None:
        answer = service.post(VERIFY, {"key": "x", name: value})
        assert issues(answer) == {(name, *path): message for path, message in told.items()}

    @for_each(
        ("limits", "told"),
        [
            ("chat", {(): "Not a list"}),
            ({}, {(): "Not a list"}),
            (["chat"], {(0,): "Must be a JSON object"}),
            ([None], {(0,): "May not be null"}),
            ([{}], {(0, "name"): "Required"}),
            ([{"name": "a", "size": 1}], {(0, "size"): "Unknown field"}),
            (
                [{"name": "a b"}],
                {(0, "name"): "Must be 1 to 50 letters (a-z, A-Z), digits, `_`, `.` and `-`"},
            ),
            ([{"name": "a", "cost": -1}], {(0, "cost"): AMOUNT}),
            ([{"name": "a", "cost": "1"}], {(0, "cost"): "Must be a whole number"}),
            ([{"name": "a"}, {"name": "a"}], {(1, "name"): "Named more than once"}),
            (
                [{"name": f"n{number}"} for number in range(11)],
                {(): "Must have at most 10 entries"},
            ),
        ],
    )
    def test_each_fault_of_a_named_limit_has_its_path(
        self, service: Client, limits: Any, told: dict[tuple[str | int, ...], str]
    ) -> None:
        answer = service.post(VERIFY, {"key": "x", "limits": limits})
        assert issues(answer) == {("limits", *path): message for path, message in told.items()}

    def test_null_and_nothing_are_as_if_absent(self, member: Member, service: Client) -> None:
        for value in (None, {}):
            question = {"key": member.api_key, "use": value, "reserve": value, "cost": None}
            verdict = ok(
                service.post(VERIFY, {**question, "limits": None if value is None else []})
            )
            assert (verdict["valid"], verdict["reservation_id"]) == (True, None)
        verdict = ok(
            service.post(VERIFY, {"key": member.api_key, "limits": [{"name": "a", "cost": None}]})
        )
        assert verdict["valid"] is True

    @for_each("padding", ["", " \\u0020"])
    def test_the_gate_and_the_route_say_the_same(
        self, member: Member, service: Client, padding: str
    ) -> None:
        """A body with an escape is loaded by the whole schema, others by the gate."""
        caller = key_with(member, limit("tokens", "total", 100, name="t"))
        body = (
            f'{{"key": "{caller.headers["X-API-Key"]}", "origin": "x{padding}",'
            ' "use": {"tokens": 3}, "reserve": {"tokens": 4, "pages": 1},'
            ' "limits": [{"name": "none"}, {"name": "t", "cost": null}]}'
        )
        answer = service.post(VERIFY, data=body, content_type="application/json")
        verdict = ok(answer)
        assert verdict["reservation_id"].startswith("rsv_")
        assert '"key-t";r=93' in verdict["headers"]["RateLimit"]

    @for_each(
        "body",
        [
            '{"key": "x", "use": {"tokens": 1, "tokens": 2}}',
            '{"key": "x", "limits": [{"name": "a", "name": "b"}]}',
        ],
    )
    def test_a_name_that_stands_twice_is_a_fault(self, service: Client, body: str) -> None:
        answer = service.post(VERIFY, data=body, content_type="application/json")
        assert issues(answer) == {(): "Malformed JSON: a name stands twice in one object"}

    def test_deep_and_odd_values_are_faults(self, service: Client) -> None:
        for value in ("[" * 900 + "]" * 900, "NaN", '{"tokens": 1e400}'):
            answer = service.post(
                VERIFY,
                data=f'{{"key": "x", "use": {value}}}',
                content_type="application/json",
            )
            assert answer.status_code == 400

    def test_the_verdict_of_a_refusal_has_no_reservation(
        self, member: Member, service: Client
    ) -> None:
        caller = key_with(member, limit("tokens", "day", 1))
        question = {"key": caller.headers["X-API-Key"], "reserve": {"tokens": 2}}
        verdict = ok(service.post(VERIFY, question))
        assert (verdict["valid"], verdict["reservation_id"]) == (False, None)
