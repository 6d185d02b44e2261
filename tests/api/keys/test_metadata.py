"""`metadata` of keys: what their owner keeps with them."""

from typing import Any

import pytest

from tests.cases import for_each
from tests.clients import Client, Member, issues, ok

KEYS = "/api/auth/api-keys"
ONE = {"customer": "c-17", "tags": ["a", {"b": None}], "price": 1.5, "list": [True, -0.0]}
OTHER = {"Zoë": {"李": "\u202e"}}


def widget(member: Member, **fields: Any) -> dict[str, Any]:
    return member.create_key(
        kind="publishable",
        agent_id=member.create_agent()["id"],
        allowed_origins=["https://shop.example.com"],
        **fields,
    )


def shown(member: Member, key: dict[str, Any]) -> Any:
    """Of a key, the same in the list and alone."""
    alone = ok(member.client.get(f"{KEYS}/{key['id']}"))["metadata"]
    [listed] = [one for one in ok(member.client.get(KEYS)) if one["id"] == key["id"]]
    assert listed["metadata"] == alone
    return alone


@pytest.mark.both_ways
class TestGiven:
    def test_with_every_kind_of_key(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        path = f"/api/agents/{agent['id']}/api-keys"
        body = {"name": "bot", "metadata": ONE}
        for key in (
            member.create_key(metadata=ONE),
            member.create_key(metadata=ONE, environment="test"),
            widget(member, metadata=ONE),
            ok(member.client.post(path, body), 201),
        ):
            assert key["metadata"] == shown(member, key) == ONE
        [listed] = ok(member.client.get(path))
        assert listed["metadata"] == ONE

    def test_it_is_null_where_none_was_given(self, client: Client) -> None:
        member = client.sign_up()
        [primary] = ok(member.client.get(KEYS))
        assert primary["metadata"] is None
        for fields in ({}, {"metadata": None}):
            key = member.create_key(**fields)
            assert key["metadata"] is shown(member, key) is None
        empty = member.create_key(metadata={})
        assert empty["metadata"] == shown(member, empty) == {}

    @pytest.mark.both_databases
    def test_numbers_are_given_back_as_they_came(self, client: Client) -> None:
        member = client.sign_up()
        texts = ["9007199254740993", "-0.0", "1.0", "1", "true", "1e+300", "1" + "0" * 300]
        body = f'{{"name": "n", "metadata": {{"n": [{",".join(texts)}]}}}}'
        made = member.client.post(KEYS, data=body, content_type="application/json")
        key = ok(made, 201)
        for response in (made, member.client.get(f"{KEYS}/{key['id']}")):
            assert f'{{"n":[{",".join(texts)}]}}' in response.text


@pytest.mark.both_ways
class TestChanged:
    @pytest.mark.both_databases
    def test_as_a_whole_and_taken_away(self, client: Client) -> None:
        member = client.sign_up()
        key = member.create_key(metadata=ONE)
        path = f"{KEYS}/{key['id']}"
        for changes, left in (
            ({"metadata": OTHER}, OTHER),
            ({"name": "new"}, OTHER),
            ({"metadata": None}, None),
            ({"metadata": ONE}, ONE),
            ({"metadata": {}}, {}),
        ):
            assert ok(member.client.patch(path, changes))["metadata"] == left
            assert shown(member, key) == left

    def test_to_what_python_takes_for_the_same(self, client: Client) -> None:
        member = client.sign_up()
        path = f"{KEYS}/{member.create_key()['id']}"
        for text in ("1", "true", "1.0", "1", "0.0", "-0.0", "0", "false"):
            body = f'{{"metadata":{{"a":{text}}}}}'
            ok(member.client.patch(path, data=body, content_type="application/json"))
            assert body[1:-1] in member.client.get(path).text

    def test_an_event_tells_that_it_was_changed_and_not_what_it_is(self, client: Client) -> None:
        """S27: nobody else's words stand in an event."""
        member = client.sign_up()
        key = member.create_key(metadata={"secret-name": "secret-value"})
        path = f"{KEYS}/{key['id']}"
        ok(member.client.patch(path, {"metadata": {"secret-name": 1}, "is_active": False}))
        response = member.client.get("/api/auth/events")
        assert ok(response)[0]["details"]["fields"] == ["is_active", "metadata"]
        assert "secret" not in response.text

    def test_a_successor_has_it(self, client: Client) -> None:
        member = client.sign_up()
        key = member.create_key(metadata=ONE)
        for grace_seconds in (0, 60):
            path = f"{KEYS}/{key['id']}/rotate"
            key = ok(member.client.post(path, {"grace_seconds": grace_seconds}), 201)
            assert key["metadata"] == shown(member, key) == ONE
        [primary] = [one for one in ok(member.client.get(KEYS)) if one["is_primary"]]
        ok(member.client.patch(f"{KEYS}/{primary['id']}", {"metadata": OTHER}))
        key = ok(member.client.post("/api/auth/api-key/regenerate"))["key"]
        assert key["metadata"] == shown(member, key) == OTHER


@pytest.mark.both_ways
class TestIsToldToItsHolder:
    def test_unless_every_visitor_of_a_page_is_one(self, client: Client) -> None:
        member = client.sign_up()
        for key, told in (
            (member.create_key(metadata=ONE), ONE),
            (member.create_key(), None),
            (widget(member, metadata=ONE), None),
        ):
            origin = {"Origin": "https://shop.example.com"}
            data = ok(client.as_key(key["api_key"]).get("/api/v1/me", headers=origin))
            assert data["key"]["metadata"] == told


@pytest.mark.both_ways
class TestRejectsInput:
    @for_each("done", ["make", "agent", "change"])
    def test_each_fault_at_its_place_beside_the_others(self, client: Client, done: str) -> None:
        member = client.sign_up()
        agent, key = member.create_agent(), member.create_key(metadata=ONE)
        method, path = {
            "make": ("POST", KEYS),
            "agent": ("POST", f"/api/agents/{agent['id']}/api-keys"),
            "change": ("PATCH", f"{KEYS}/{key['id']}"),
        }[done]
        body = {"name": "", "metadata": {"a": ["\0"], "b": "\ud800", "c": [[[[[]]]]]}}
        found = issues(member.client.request(method, path, json=body))
        assert set(found) == {
            *(("name",), ("metadata", "a", 0), ("metadata", "b"), ("metadata", "c", 0, 0, 0, 0))
        }
        found = issues(member.client.request(method, path, json={"name": "n", "metadata": [1]}))
        assert found == {("metadata",): "Must be a JSON object"}
        assert shown(member, key) == ONE

    @for_each("number", ["NaN", "Infinity", "1" * 5_000, "1e400", "1" * 400])
    def test_what_is_no_number_of_everybodys(self, client: Client, number: str) -> None:
        body = f'{{"name": "n", "metadata": {{"a": {number}}}}}'
        response = client.sign_up().client.post(KEYS, data=body, content_type="application/json")
        [path] = issues(response)
        assert path in ((), ("metadata", "a"))

    def test_a_name_that_stands_twice(self, client: Client) -> None:
        body = '{"name": "n", "metadata": {"a": 1, "a": 2}}'
        response = client.sign_up().client.post(KEYS, data=body, content_type="application/json")
        assert "a name stands twice" in issues(response)[()]

    @for_each("depth", [100, 500, 900, 950, 990, 20_000])
    def test_any_depth_is_a_fault(self, client: Client, depth: int) -> None:
        member = client.sign_up()
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            if len(opening) * depth > 60_000:
                continue
            inner = opening * depth + "1" + closing * depth
            body = f'{{"name": "n", "metadata": {{"a": {inner}}}}}'
            issues(member.client.post(KEYS, data=body, content_type="application/json"))
