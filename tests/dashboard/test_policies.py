"""The dashboard under a policy of the operator's own: its scopes, and a plan without a limit."""

import hashlib
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import under_own_policy
from tests.dashboard.hands import click
from tests.dashboard.place import Visitor
from tests.factories.policies import USUAL

KEYS = "/api/auth/api-keys"
pytestmark = under_own_policy


@pytest.fixture
def visitor(visitor: Visitor) -> Visitor:
    visitor.sign_up("/agents")
    return visitor


def test_a_new_key_may_have_those_of_the_policy(visitor: Visitor) -> None:
    visitor.open("/keys")
    click(visitor.page.get_by_role("button", name="New key").first)
    scopes = visitor.dialog.get_by_role("group", name="Scopes")
    expect(scopes.get_by_role("checkbox")).to_have_count(len(USUAL))
    expect(scopes).to_contain_text("Write documents")
    visitor.fill(visitor.dialog, name="Writer")
    for name in set(USUAL) - {"docs.write:all"}:
        click(scopes.get_by_label(name))
    visitor.press("Create key", visitor.dialog)
    key = visitor.stored_key()
    assert visitor.place.authorize(key, scope="docs.write:all") == 200
    assert visitor.place.authorize(key, scope="read") == 403


def test_another_name_leaves_what_an_operator_gave(visitor: Visitor, tmp_path: Path) -> None:
    file = tmp_path / "keys.jsonl"
    line = {
        "digest": hashlib.sha256(visitor.email.encode()).hexdigest(),
        "owner": visitor.email,
        "name": "Trainer",
        "scopes": ["train", "read"],
    }
    file.write_text(json.dumps(line))
    visitor.place.service.installation.command("keys", "import", str(file))
    visitor.open("/keys")
    visitor.press("Edit key Trainer")
    visitor.fill(visitor.dialog, name="Coach")
    visitor.press("Save", visitor.dialog)
    expect(visitor.dialog).to_have_count(0)
    (key,) = (
        key
        for key in visitor.place.call("GET", KEYS, token=visitor.api_token())
        if key["name"] == "Coach"
    )
    assert key["scopes"] == ["train", "read"]


def test_a_plan_without_a_limit_has_no_meter(visitor: Visitor) -> None:
    visitor.place.service.installation.command("accounts", "set-plan", visitor.email, "unlimited")
    key = visitor.place.call("POST", KEYS, token=visitor.api_token(), json={"name": "x"})
    assert visitor.place.authorize(key["api_key"], cost=7) == 200
    visitor.follow("Usage")
    expect(visitor.page.get_by_text("without a monthly limit")).to_be_visible()
    expect(visitor.page.get_by_text("7 units", exact=True)).to_be_visible()
    expect(visitor.page.get_by_role("meter")).to_have_count(0)
    expect(visitor.page.get_by_text("Quota, spread evenly")).to_have_count(0)
