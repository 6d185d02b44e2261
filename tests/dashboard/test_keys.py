"""What the dashboard shows of keys and of the account: found, counted, exported, told inert."""

import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
from playwright.sync_api import expect

from tests.dashboard.conftest import in_cookie_mode
from tests.dashboard.hands import click, fill
from tests.dashboard.place import Visitor

USAGE = "/api/auth/usage"
# Turned around, and with a letter that is not seen.
HOSTILE = "\u202egnp.\u2066invoice\u200b\u00ad"


@in_cookie_mode
def test_keys_are_found_counted_and_shown_after_their_end(visitor: Visitor) -> None:
    page = visitor.page
    key = visitor.sign_up()
    token = visitor.api_token()
    assert visitor.place.authorize(key, cost=41) == 200
    path = "/api/auth/api-keys"
    body = {"name": "Nightly import", "allowed_ips": ["203.0.113.0/24"]}
    visitor.place.call("POST", path, token=token, json=body)
    dead = visitor.place.call("POST", path, token=token, json={"name": "Buried"})
    visitor.place.call("DELETE", f"{path}/{dead['id']}", token=token)

    visitor.open("/keys")
    rows = page.locator("[data-key]")
    expect(rows).to_have_count(2)
    expect(page.get_by_text("2 of 5 keys used")).to_be_visible()
    expect(rows.filter(has_text="Primary")).to_contain_text("41 units this month")
    expect(rows.filter(has_text="Nightly")).to_contain_text("from 203.0.113.0/24")

    click(page.get_by_label("Show revoked keys"))
    expect(rows).to_have_count(3)
    buried = page.locator(f"[data-key={dead['id']}]")
    expect(buried).to_contain_text("Revoked")
    expect(buried.get_by_role("button")).to_have_count(0)

    search = page.get_by_label("Search keys")
    for words, count in (("nightly", 1), (dead["prefix"], 1), ("nothing", 0), ("", 3)):
        fill(search, words)
        expect(rows).to_have_count(count)
    click(page.get_by_label("Show revoked keys"))
    expect(rows).to_have_count(2)
    assert visitor.complaints == []


@in_cookie_mode
def test_the_first_call_that_is_proposed_is_seen_in_the_chart(visitor: Visitor) -> None:
    key = visitor.sign_up()
    command = visitor.page.get_by_label("Command").inner_text()
    _, _, url, _, header = shlex.split(command)
    name, _, value = header.replace("YOUR_KEY", key).partition(": ")
    assert httpx.get(url, headers={name: value}).status_code == 200
    visitor.press("Look again")
    quota = visitor.page.get_by_role("meter", name="Monthly quota")
    expect(quota).to_have_attribute("aria-valuenow", "1")
    # The browser keeps the leave that the API gave it to ask so (CORS).
    asked = _asked_for_leave(visitor)
    assert asked > 0
    visitor.open("/keys")
    visitor.see_heading("API keys")
    with visitor.page.expect_response(f"**{USAGE}?**"):
        visitor.open("/")
    assert _asked_for_leave(visitor) == asked
    expect(visitor.page.get_by_role("row", name="Primary")).to_be_visible()


def _asked_for_leave(visitor: Visitor) -> int:
    lines = visitor.place.service.request_lines()
    return sum((line["method"], line["path"]) == ("OPTIONS", USAGE) for line in lines)


@in_cookie_mode
def test_all_that_is_held_can_be_saved(visitor: Visitor) -> None:
    visitor.sign_up("/account")
    with visitor.page.expect_download() as download:
        visitor.press("Download")
    assert download.value.suggested_filename.startswith("ragauth-acc_")
    held = json.loads(download.value.path().read_text("utf-8"))["data"]
    assert held["account"]["email"] == visitor.email
    assert visitor.complaints == []


@in_cookie_mode
def test_a_name_of_an_older_row_can_neither_hide_nor_turn_anything(visitor: Visitor) -> None:
    """S46: in rows, badges, dialogs, notices and what a screen reader says."""
    page = visitor.page
    visitor.sign_up()
    token = visitor.api_token()
    agent = visitor.place.call("POST", "/api/agents", token=token, json={"name": "Bot"})
    body = {"name": "Old", "agent_id": agent["id"]}
    visitor.place.call("POST", "/api/auth/api-keys", token=token, json=body)

    # As they were stored before such names were refused.
    instance = Path(visitor.place.service.installation.environment["RAGAUTH_INSTANCE_DIR"])
    own = "WHERE account_id = (SELECT id FROM accounts WHERE email = ?2)"
    with closing(sqlite3.connect(instance / "ragauth.db")) as connection, connection:
        for change in ("api_keys SET name = ?1", "agents SET name = ?1, description = ?1"):
            connection.execute(f"UPDATE {change} {own}", (HOSTILE, visitor.email))

    shown = "\ufffdgnp.\ufffdinvoice\ufffd\ufffd"
    for path, presses in (
        ("/keys", ["Edit key", "Rotate key", "Revoke key"]),
        ("/agents", ["Edit agent", "Delete agent"]),
    ):
        visitor.open(path)
        expect(page.locator("main bdi", has_text=shown).first).to_be_visible()
        for press in presses:
            button = page.get_by_role("button", name=f"{press} {shown}").first
            click(button)
            expect(visitor.dialog.locator("h2 bdi")).to_have_text(shown)
            seen = page.evaluate("document.body.innerText")
            said = page.evaluate(
                "[...document.querySelectorAll('[aria-label], [title]')]"
                ".map((one) => one.ariaLabel + one.title).join()"
            )
            assert not set("\u202e\u2066\u200b\u00ad") & set(seen + said)
            page.keyboard.press("Escape")
    # What a form holds is what is stored, and is sent back only if it was changed.
    visitor.open("/keys")
    click(page.get_by_role("button", name="Edit key").first)
    expect(visitor.dialog.locator("[name=name]")).to_have_value(HOSTILE)
    click(visitor.dialog.get_by_label("Off"))
    visitor.press("Save", visitor.dialog)
    visitor.see_notice("Saved.")


@in_cookie_mode
def test_names_that_are_written_with_joiners_stay_as_they_are(visitor: Visitor) -> None:
    names = ["👩\u200d💻 bot", "\u0645\u06cc\u200c\u062e", "❤\ufe0f", "two\nlines", "plain"]
    inert = "import('/js/dom.js').then((m) => NAMES.map(m.inert))"
    assert visitor.page.evaluate(inert.replace("NAMES", json.dumps(names))) == names
    hidden = ["a\u200db", "a\u200cb", "\u2028", "\u0007", "\u115f", "a\ufe0f"]
    shown = visitor.page.evaluate(inert.replace("NAMES", json.dumps(hidden)))
    assert all("\ufffd" in name for name in shown)
