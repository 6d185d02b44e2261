"""Limits of a key: given when it is made, changed, shown with it, carried to a successor."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.cases import for_each
from tests.clients import Client, Member, issues, ok
from tests.factories.policies import metered

PATH = "/api/auth/api-keys"
TEN_A_MINUTE = {"meter": "requests", "window": "minute", "size": 10}
TOKENS_IN_ALL = {"meter": "tokens", "window": "total", "size": 500_000}
_WINDOW = (
    "Must be minute, hour, day, month, total, or a length from 100ms to 30 days,"
    " such as 10s or 250ms"
)


@pytest.fixture
def member(share_app: Callable[..., Flask], client_of: Callable[[Flask], Client]) -> Member:
    return client_of(share_app(policy=metered())).sign_up()


@pytest.mark.both_ways
class TestShown:
    def test_a_key_has_none_unless_they_are_given(self, member: Member) -> None:
        assert member.create_key()["limits"] is None
        assert member.create_key(limits=None)["limits"] is None
        assert member.create_key(limits=[])["limits"] == []

    def test_they_are_told_wherever_the_key_is(self, member: Member) -> None:
        limits = [TEN_A_MINUTE, TOKENS_IN_ALL]
        made = member.create_key(limits=limits)
        path = f"{PATH}/{made['id']}"
        assert made["limits"] == limits
        assert ok(member.client.get(path))["limits"] == limits
        assert ok(member.client.get(PATH))[0]["limits"] == limits
        held = ok(Client(member.client.app).as_key(made["api_key"]).get("/api/v1/me"))
        assert held["key"]["limits"] == limits

    def test_each_window_has_one_name(self, member: Member) -> None:
        given = ["60s", "3600s", "60000ms", "10s", "10000ms", "250ms", "2592000s"]
        limits = [
            {**TEN_A_MINUTE, "window": window, "name": f"n{position}"}
            for position, window in enumerate(given)
        ]
        told = member.create_key(limits=limits)["limits"]
        assert [limit["window"] for limit in told] == [
            *("minute", "hour", "minute", "10s", "10s", "250ms", "2592000s")
        ]

    def test_names_and_what_they_apply_to_are_told_as_they_were_given(self, member: Member) -> None:
        limits = [
            {**TEN_A_MINUTE, "name": "burst", "applies": "named"},
            {**TEN_A_MINUTE, "name": "A.b_c-9" + "x" * 43},
            {**TOKENS_IN_ALL, "applies": "always"},
        ]
        assert member.create_key(limits=limits)["limits"] == limits
        nulls = [{**TEN_A_MINUTE, "name": None, "applies": None}]
        assert member.create_key(limits=nulls)["limits"] == [TEN_A_MINUTE]

    def test_an_agents_key_and_a_publishable_one_may_have_them(self, member: Member) -> None:
        agent = member.create_agent()["id"]
        body = {"name": "x", "limits": [TEN_A_MINUTE]}
        made = ok(member.client.post(f"/api/agents/{agent}/api-keys", body), 201)
        assert made["limits"] == [TEN_A_MINUTE]
        widget = member.create_key(
            kind="publishable",
            agent_id=agent,
            allowed_origins=["https://shop.example.com"],
            limits=[TEN_A_MINUTE],
        )
        assert widget["limits"] == [TEN_A_MINUTE]


@pytest.mark.both_ways
class TestChanges:
    def test_a_change_replaces_all_of_them(self, member: Member) -> None:
        path = f"{PATH}/{member.create_key(limits=[TEN_A_MINUTE, TOKENS_IN_ALL])['id']}"
        smaller = [{**TEN_A_MINUTE, "size": 0}]
        assert ok(member.client.patch(path, {"limits": smaller}))["limits"] == smaller
        assert ok(member.client.patch(path, {"name": "other"}))["limits"] == smaller
        assert ok(member.client.patch(path, {"limits": None}))["limits"] is None

    def test_the_history_names_the_field_and_not_what_stands_in_it(self, member: Member) -> None:
        made = member.create_key()
        member.client.patch(f"{PATH}/{made['id']}", {"limits": [TEN_A_MINUTE]})
        event = ok(member.client.get("/api/auth/events"))[0]
        assert event["name"] == "api_key:changed"
        assert event["details"] == {
            "key_id": made["id"],
            "prefix": made["prefix"],
            "fields": ["limits"],
        }

    def test_a_successor_has_its_predecessors(self, member: Member) -> None:
        made = member.create_key(limits=[TEN_A_MINUTE])
        for grace in (60, 0):
            rotated = ok(
                member.client.post(f"{PATH}/{made['id']}/rotate", {"grace_seconds": grace}), 201
            )
            assert rotated["limits"] == [TEN_A_MINUTE]
            made = rotated
        (primary,) = [key for key in ok(member.client.get(PATH)) if key["is_primary"]]
        member.client.patch(f"{PATH}/{primary['id']}", {"limits": [TEN_A_MINUTE]})
        regenerated = ok(member.client.post("/api/auth/api-key/regenerate"))
        assert regenerated["key"]["limits"] == [TEN_A_MINUTE]


@pytest.mark.both_ways
class TestRejectsInput:
    @pytest.fixture
    def key(self, member: Member) -> str:
        made: str = member.create_key()["id"]
        return made

    @pytest.fixture
    def agent(self, member: Member) -> str:
        made: str = member.create_agent()["id"]
        return made

    @for_each(
        ("limits", "faults"),
        [
            ("x", {("limits",): "Not a list"}),
            ({}, {("limits",): "Not a list"}),
            ([None], {("limits", 0): "May not be null"}),
            ([1], {("limits", 0): "Must be a JSON object"}),
            (
                [{}],
                {("limits", 0, name): "Required" for name in ("meter", "window", "size")},
            ),
            (
                [{**TEN_A_MINUTE, "colour": 1}, {**TEN_A_MINUTE, "meter": "gold"}],
                {
                    ("limits", 0, "colour"): "Unknown field",
                    ("limits", 1, "meter"): (
                        "There is no such meter; there are: requests, tokens, pages"
                    ),
                },
            ),
            *(
                ([{**TEN_A_MINUTE, "window": window}], {("limits", 0, "window"): _WINDOW})
                for window in (
                    "year",
                    "",
                    "0s",
                    "01s",
                    "99ms",
                    "2592001s",
                    "1.5s",
                    "-1s",
                    "\uff11s",
                )
            ),
            ([{**TEN_A_MINUTE, "window": 60}], {("limits", 0, "window"): "Not a string"}),
            *(
                (
                    [{**TEN_A_MINUTE, "size": size}],
                    {("limits", 0, "size"): "Must be between 0 and 1000000000000"},
                )
                for size in (-1, 10**12 + 1)
            ),
            *(
                ([{**TEN_A_MINUTE, "size": size}], {("limits", 0, "size"): message})
                for size, message in (
                    (None, "May not be null"),
                    ("1", "Must be a whole number"),
                    (1.0, "Must be a whole number"),
                    (True, "Must be a whole number"),
                )
            ),
            *(
                (
                    [{**TEN_A_MINUTE, "name": name}],
                    {
                        ("limits", 0, "name"): (
                            "Must be 1 to 50 letters (a-z, A-Z), digits, `_`, `.` and `-`"
                        )
                    },
                )
                for name in ("", "two words", "naïve", "a\n", 'a"b')
            ),
            (
                [{**TEN_A_MINUTE, "name": "x" * 51}],
                {("limits", 0, "name"): "Must be at most 50 characters long"},
            ),
            (
                [{**TEN_A_MINUTE, "applies": "never"}],
                {("limits", 0, "applies"): "Must be one of: always, named"},
            ),
            (
                [{**TEN_A_MINUTE, "applies": "named"}],
                {("limits", 0, "name"): "Required for a limit that checks must name"},
            ),
            (
                [TEN_A_MINUTE, {**TEN_A_MINUTE, "window": "60s", "size": 5}],
                {("limits", 1, "window"): ("There is a limit of this meter and window already")},
            ),
            (
                [
                    {**TEN_A_MINUTE, "name": "a"},
                    {**TOKENS_IN_ALL, "name": "a"},
                    {**TEN_A_MINUTE, "window": "day"},
                    {**TOKENS_IN_ALL, "window": "day", "name": "day"},
                ],
                {
                    ("limits", place, "name"): "Another limit of the key is called so already"
                    for place in (1, 3)
                },
            ),
            (
                [{**TEN_A_MINUTE, "window": f"{second}s"} for second in range(1, 12)],
                {("limits",): "Must have at most 10 entries"},
            ),
        ],
    )
    def test_each_fault_is_told_with_its_place(
        self,
        member: Member,
        key: str,
        agent: str,
        limits: Any,
        faults: dict[tuple[str | int, ...], str],
    ) -> None:
        for answer in (
            member.client.post(PATH, {"name": "x", "limits": limits}),
            member.client.post(f"/api/agents/{agent}/api-keys", {"name": "x", "limits": limits}),
            member.client.patch(f"{PATH}/{key}", {"limits": limits}),
        ):
            assert issues(answer) == faults

    def test_ten_may_stand_beside_each_other(self, member: Member) -> None:
        limits = [{**TEN_A_MINUTE, "window": f"{second}s"} for second in range(1, 11)]
        assert len(member.create_key(limits=limits)["limits"]) == 10


def test_a_limit_of_a_meter_that_is_gone_is_still_shown(
    member: Member, make_app: Callable[..., Flask], client_of: Callable[[Flask], Client]
) -> None:
    made = member.create_key(limits=[TOKENS_IN_ALL])
    later = client_of(make_app()).as_user(member.token)
    assert ok(later.get(f"{PATH}/{made['id']}"))["limits"] == [TOKENS_IN_ALL]
