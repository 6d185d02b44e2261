"""Another account's thing and no thing are one answer, for every route with an id (S25)."""

import re

import pytest

from tests.api.routes import AGENT, KEY, ROUTES, SESSION, Route
from tests.cases import for_each
from tests.clients import Client, Member, assert_same_answer, error, ok

_AN_ID = re.compile(r"/(ses|key|agt)_[0-9a-z]{26}")
# An operator's service acts for every account.
ID_ROUTES = [route for route in ROUTES if _AN_ID.search(route.path) and route.credential == "token"]


@for_each("route", ID_ROUTES)
def test_anothers_thing_is_nothing_to_the_byte(client: Client, route: Route) -> None:
    """S25"""
    member, other = client.sign_up(), client.sign_up()
    absent, theirs = _absent_and_theirs(other)
    body = route.body
    if "agent_id" in body:
        body = {**body, "agent_id": member.create_agent()["id"]}
    nothing = member.client.request(route.method, _swap(route.path, absent), json=body)
    foreign = member.client.request(route.method, _swap(route.path, theirs), json=body)
    assert_same_answer(foreign, nothing)
    error(foreign, 404, "NOT_FOUND")
    # And nothing happened to it.
    assert other.key_client.get("/api/v1/authorize").status_code == 200
    ok(other.client.get("/api/auth/me"))
    ok(other.client.get(f"/api/agents/{theirs['agt']}"))


@pytest.mark.both_databases
def test_there_is_such_a_route_for_each_kind() -> None:
    kinds = {match[1] for route in ID_ROUTES if (match := _AN_ID.search(route.path))}
    assert kinds == {"ses", "key", "agt"}


def _absent_and_theirs(other: Member) -> tuple[dict[str, str], dict[str, str]]:
    [session] = ok(other.client.get("/api/auth/sessions"))
    [key] = ok(other.client.get("/api/auth/api-keys"))
    theirs = {"ses": session["id"], "key": key["id"], "agt": other.create_agent()["id"]}
    return {"ses": SESSION, "key": KEY, "agt": AGENT}, theirs


def _swap(path: str, ids: dict[str, str]) -> str:
    return _AN_ID.sub(lambda match: f"/{ids[match[1]]}", path)
