"""Limits and metadata of keys, usage by meter, refusals, and what is the operator's."""

import csv
import json
import re
from typing import Any

from playwright.sync_api import Route, expect

from tests.dashboard.conftest import in_cookie_mode
from tests.dashboard.hands import click, fill
from tests.dashboard.place import Visitor

KEYS = "/api/auth/api-keys"
LIMITS = [
    {"meter": "requests", "window": "minute", "size": 3},
    {"meter": "tokens", "window": "total", "size": 5_000},
    {"meter": "pages", "window": "10s", "size": 2, "name": "burst", "applies": "named"},
]


@in_cookie_mode
def test_limits_of_a_key_are_set_shown_explained_and_changed(visitor: Visitor) -> None:
    """From a new key over a refused request to a key without limits and metadata."""
    visitor.sign_up("/keys")
    token = visitor.api_token()
    raw_key = _make_a_limited_key(visitor, token)
    key_id = visitor.place.call("GET", f"{KEYS}?limit=1", token=token)[0]["id"]
    _see_what_is_left(visitor, raw_key)
    _understand_a_refusal(visitor, raw_key)
    _see_the_meter_in_the_chart(visitor, key_id)
    _change_and_remove_limits(visitor, token, key_id)
    assert visitor.complaints == []


def _make_a_limited_key(visitor: Visitor, token: str) -> str:
    page = visitor.page
    click(page.get_by_role("button", name="New key").first)
    dialog = visitor.dialog
    visitor.fill(dialog, name="Nightly", metadata='{"customer": c-17}')
    scopes = visitor.place.call("GET", "/api/auth/scopes", token=token)
    offered = dialog.get_by_role("group", name="Scopes")
    for scope in scopes:
        expect(offered.get_by_label(scope["name"])).to_be_checked()
        expect(offered).to_contain_text(scope["description"])

    rows = [dialog.get_by_role("group", name=f"Limit {number}") for number in (1, 2, 3, 4)]
    for row in rows:
        visitor.press("Add a limit", dialog)
        expect(row.get_by_label("At most")).to_be_focused()
    visitor.press("Remove limit 2", dialog)
    expect(rows[3]).to_have_count(0)
    fill(rows[0].get_by_label("At most"), "3")
    fill(rows[1].get_by_label("At most"), "5 and more")
    fill(rows[1].get_by_label("Of", exact=True), "tokens")
    fill(rows[1].get_by_label("In", exact=True), "in all")
    # One that no limit and no use has told of yet.
    fill(rows[2].get_by_label("At most"), "2")
    fill(rows[2].get_by_label("Of", exact=True), "Another…")
    fill(rows[2].get_by_label("The meter's name"), "sheets")
    fill(rows[2].get_by_label("In", exact=True), "another time…")
    fill(rows[2].get_by_label("In a time of"), "10q")
    fill(rows[2].get_by_label("Counts"), "Requests that name it")
    fill(rows[2].get_by_label("Its name"), "burst")

    visitor.press("Create key", dialog)
    size = rows[1].get_by_label("At most")
    expect(size).to_have_accessible_description(re.compile("Write a whole number"))
    expect(size).to_be_focused()
    metadata = dialog.get_by_label("Metadata")
    expect(metadata).to_have_accessible_description(re.compile("This is not JSON: look at line 1"))

    fill(size, "5,000")
    fill(metadata, '{"customer": "c-17"}')
    visitor.press("Create key", dialog)
    # What only the API knows stands at its place, too.
    meter = rows[2].get_by_label("The meter's name")
    expect(meter).to_have_accessible_description(re.compile("There is no such meter"))
    length = rows[2].get_by_label("In a time of")
    expect(length).to_have_accessible_description(re.compile("Write 100ms to 30 days"))
    # The browser's own word on the status, and none of the page's.
    assert ["status of 400" in complaint for complaint in visitor.complaints] == [True]
    visitor.complaints.clear()
    fill(meter, "pages")
    fill(length, "10s")
    visitor.press("Create key", dialog)
    raw_key = visitor.stored_key()
    visitor.press("I have stored it", dialog)
    stored = visitor.place.call("GET", f"{KEYS}?limit=1", token=token)[0]
    assert stored["limits"] == LIMITS
    assert stored["metadata"] == {"customer": "c-17"}
    assert stored["scopes"] is None
    return raw_key


def _see_what_is_left(visitor: Visitor, raw_key: str) -> None:
    for _ in range(2):
        assert visitor.place.authorize(raw_key, use="tokens:1200") == 200
    page = visitor.page
    visitor.open("/keys")
    row = page.locator("li.row", has_text="Nightly")
    expect(row).to_contain_text("3 requests a minute and 2 more")
    visitor.press("Details of key Nightly", row)
    bars = visitor.dialog.locator(".limit-bars li")
    expect(bars.nth(0)).to_contain_text(
        re.compile(r"1 of 3 requests left this minute, renewed in \d+ seconds?")
    )
    expect(bars.nth(1)).to_have_text("2,600 of 5,000 tokens left in all, never renewed")
    expect(bars.nth(2)).to_contain_text("2 of 2 pages left in these 10 seconds")
    expect(bars.nth(2)).to_contain_text("“burst”")
    tokens = visitor.dialog.get_by_role("meter", name="This key's limit: 5,000 tokens in all")
    expect(tokens).to_have_attribute("aria-valuenow", "2400")
    shared = visitor.dialog.get_by_role("meter", name="Your plan's limit: 200,000 tokens a month")
    expect(shared).to_have_attribute("aria-valuenow", "2400")
    expect(visitor.dialog).to_contain_text('"customer": "c-17"')
    assert visitor.place.authorize(raw_key) == 200
    visitor.press("Look again", visitor.dialog)
    expect(bars.nth(0)).to_contain_text("0 of 3 requests left this minute")
    page.keyboard.press("Escape")


def _understand_a_refusal(visitor: Visitor, raw_key: str) -> None:
    answer = visitor.place.service.client.get("/api/v1/authorize", headers={"X-API-Key": raw_key})
    assert answer.status_code == 429
    head = f"HTTP/1.1 429 Too Many Requests\nRetry-After: {answer.headers['Retry-After']}"
    click(visitor.page.get_by_text("A request was refused?"))
    visitor.fill(answer=f"{head}\n\n{answer.text}")
    visitor.press("Explain it")
    words = r"this key's own limit of 3 requests a minute\. It is renewed in \d+ seconds?\."
    expect(visitor.page.locator(".refused [role=status]")).to_contain_text(re.compile(words))
    visitor.fill(answer="<h1>502 Bad Gateway</h1>")
    visitor.press("Explain it")
    asked = visitor.page.get_by_label("The answer of the API")
    expect(asked).to_have_accessible_description(re.compile("No answer of the API"))


def _see_the_meter_in_the_chart(visitor: Visitor, key_id: str) -> None:
    page = visitor.page
    visitor.press("Details of key Nightly")
    click(visitor.dialog.get_by_role("link", name="Its usage"))
    visitor.see_heading("Usage")
    expect(page.get_by_label("Key", exact=True)).to_have_value(key_id)
    fill(page.get_by_label("What is counted"), "Tokens")
    expect(page.get_by_role("img", name=re.compile("2,400 tokens in all"))).to_be_visible()
    expect(page.get_by_role("meter", name="This key's limit: 3 requests a minute")).to_be_visible()
    fill(page.get_by_label("What is counted"), "Pages")
    expect(page.get_by_role("heading", name="No pages")).to_be_visible()

    fill(page.get_by_label("Key", exact=True), "All keys")
    fill(page.get_by_label("What is counted"), "Tokens")
    expect(page.get_by_role("row", name=re.compile("Nightly.*3.*3.*2,400"))).to_be_visible()
    expect(page.get_by_role("meter", name="Monthly quota")).to_have_attribute(
        "aria-valuemax", "200000"
    )
    visitor.press("By month")
    chart = page.get_by_role("img", name=re.compile("2,400 tokens in all"))
    expect(chart.locator(".day")).to_have_count(12)
    expect(page.get_by_text("Limit: 200k a month")).to_be_visible()
    with page.expect_download() as download:
        visitor.press("Save as CSV")
    (line,) = csv.DictReader(download.value.path().read_text("utf-8").splitlines())
    assert (line["requests"], line["tokens"]) == ("3", "2400")
    assert "month" in line


def _change_and_remove_limits(visitor: Visitor, token: str, key_id: str) -> None:
    sent: list[dict[str, Any]] = []

    def listen(route: Route) -> None:
        if route.request.method == "PATCH":
            sent.append(json.loads(route.request.post_data or ""))
        route.continue_()

    page, dialog = visitor.page, visitor.dialog
    page.route(f"**{KEYS}/*", listen)
    changes: list[dict[str, Any]] = [
        {"name": "Nightly import"},
        {"limits": [LIMITS[0] | {"size": 4}, LIMITS[2]]},
        {"limits": None, "metadata": None},
    ]
    for change in changes:
        visitor.open("/keys")
        click(page.locator(f"[data-key={key_id}]").get_by_role("button", name="Edit key"))
        if "name" in change:
            visitor.fill(dialog, name="Nightly import")
        elif change["limits"]:
            dialog.get_by_role("group", name="Limit 1").get_by_label("At most").fill("4")
            visitor.press("Remove limit 2", dialog)
        else:
            visitor.press("Remove limit 2", dialog)
            visitor.press("Remove limit 1", dialog)
            dialog.get_by_label("Metadata").fill(" ")
        visitor.press("Save", dialog)
        expect(dialog).to_have_count(0)
        stored = visitor.place.call("GET", f"{KEYS}/{key_id}", token=token)
        assert {name: stored[name] for name in change} == change
    # What was not changed here was not sent.
    assert sent == changes
    page.unroute(f"**{KEYS}/*")


@in_cookie_mode
def test_a_managed_key_can_only_be_seen_and_revoked(visitor: Visitor) -> None:
    """S46: and what its operator named is shown as text, with nothing hidden in it."""
    visitor.sign_up()
    hostile = "<b>\u202eno</b>"

    def manage(route: Route) -> None:
        answer = route.fetch()
        data = answer.json()
        found = data["data"]
        limit = {"meter": hostile, "window": hostile, "size": 5, "name": hostile}
        quota = limit | {"of": "key", "environment": "live", "used": 1, "remaining": 4}
        for one in found if isinstance(found, list) else [found]:
            if "quotas" in one:
                one["quotas"].append(quota | {"resets_at": None})
            else:
                one |= {"managed": True, "limits": [limit], "metadata": {hostile: hostile}}
                one["scopes"] = [hostile]
        route.fulfill(response=answer, json=data)

    page = visitor.page
    for path in ("api-keys?*", "api-keys/*", "limits*"):
        page.route(f"**/api/auth/{path}", manage)
    visitor.open("/keys")
    row = page.locator("[data-key]")
    expect(row).to_contain_text("Your provider's")
    buttons = [re.sub(" .*", "", text) for text in row.get_by_role("button").all_inner_texts()]
    assert buttons == ["Details", "Revoke"]
    visitor.press("Details of key Primary")
    expect(visitor.dialog).to_contain_text("only they can change it")
    expect(visitor.dialog.locator("pre")).to_contain_text('"<b>\ufffdno</b>"')
    assert page.locator("dialog b").count() == 0
    said = page.evaluate(
        "document.body.innerText + [...document.querySelectorAll('[aria-label], [title]')]"
        ".map((one) => one.ariaLabel + one.title).join()"
    )
    assert "\u202e" not in said
    page.unroute_all(behavior="ignoreErrors")
    assert visitor.complaints == []


@in_cookie_mode
def test_mails_about_limits_are_switched(visitor: Visitor) -> None:
    visitor.sign_up()
    for is_wanted in (False, True):
        # As the API keeps it.
        visitor.follow("Agents")
        visitor.follow("Account")
        switch = visitor.page.get_by_role("switch", name=re.compile("80 % and when 100 %"))
        expect(switch).to_be_checked(checked=not is_wanted)
        click(switch)
        visitor.see_notice("You will get " + ("these" if is_wanted else "no more"))
        expect(switch).to_be_checked(checked=is_wanted)
    assert visitor.complaints == []
