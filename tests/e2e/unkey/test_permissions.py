"""Unkey's official clients describe permissions; there are no roles."""

from uuid import uuid4

import pytest

from tests.e2e.unkey.clients import OfPython
from tests.e2e.unkey.conftest import Vendor


def new_slug() -> str:
    return f"docs.{uuid4().hex[:12]}"


def test_one_is_described_and_found(vendor: Vendor) -> None:
    slug = new_slug()
    made = vendor.data(
        "permissions.createPermission", name="Read", slug=slug, description="Reads documents"
    )
    whole = {
        "id": made["permissionId"],
        "name": "Read",
        "slug": slug,
        "description": "Reads documents",
    }
    assert whole["id"].startswith("perm_")
    for named in (whole["id"], slug):
        assert vendor.data("permissions.getPermission", permission=named) == whole
    refused = vendor.refused("permissions.createPermission", name="Again", slug=slug)
    assert (refused.error, refused.status) == ("ConflictErrorResponse", 409)


def test_one_that_is_renamed_is_renamed_in_all_keys(vendor: Vendor) -> None:
    if not isinstance(vendor.client, OfPython):
        pytest.skip("the client of npm has no such method")
    slug, other = new_slug(), new_slug()
    made = vendor.data("permissions.createPermission", name="Read", slug=slug, description="x")
    _, key = vendor.new_key(vendor.new_api(), permissions=[slug, "other"])
    changed = vendor.data(
        "permissions.updatePermission", permission=slug, name="See", slug=other, description=None
    )
    assert changed == {"id": made["permissionId"], "name": "See", "slug": other}
    assert vendor.verify(key, permissions=f"{other} AND other")["code"] == "VALID"
    assert vendor.verify(key, permissions=slug)["code"] == "INSUFFICIENT_PERMISSIONS"


def test_they_are_listed_in_pages_and_searched(vendor: Vendor) -> None:
    word = uuid4().hex[:12]
    slugs = [f"{number}{word}".replace(str(number), "abc"[number], 1) for number in range(3)]
    for slug in slugs:
        vendor.data("permissions.createPermission", name="x", slug=slug)
    first = vendor.ask("permissions.listPermissions", limit=2, search=word.upper())
    assert [each["slug"] for each in first.body["data"]] == slugs[:0:-1]
    cursor = first.body["pagination"]["cursor"]
    rest = vendor.ask("permissions.listPermissions", limit=2, search=word, cursor=cursor)
    assert [each["slug"] for each in rest.body["data"]] == slugs[:1]
    assert rest.body["pagination"] == {"hasMore": False}


def test_all_keys_lose_one_that_is_deleted(vendor: Vendor) -> None:
    slug = new_slug()
    vendor.data("permissions.createPermission", name="x", slug=slug)
    key_id, key = vendor.new_key(vendor.new_api(), permissions=["a", slug])
    assert vendor.verify(key, permissions=slug)["code"] == "VALID"
    assert vendor.data("permissions.deletePermission", permission=slug) == {}
    assert vendor.verify(key, permissions=slug)["code"] == "INSUFFICIENT_PERMISSIONS"
    assert vendor.data("keys.getKey", keyId=key_id)["permissions"] == ["a"]
    for method in ("getPermission", "deletePermission"):
        refused = vendor.refused(f"permissions.{method}", permission=slug)
        assert (refused.error, refused.status) == ("NotFoundErrorResponse", 404)


def test_slugs_that_no_scope_has_and_roles_have_no_place(vendor: Vendor) -> None:
    for slug in ("Docs.Read", "docs.*", "9docs", "d" * 51):
        refused = vendor.refused("permissions.createPermission", name="x", slug=slug)
        assert (refused.error, refused.status) == ("BadRequestErrorResponse", 400)
        [fault] = refused.body["error"]["errors"]
        assert fault["location"] == "body.slug"
    refused = vendor.refused("permissions.createRole", name="admin")
    assert (refused.error, refused.status) == ("BadRequestErrorResponse", 400)
    assert "roles" in refused.body["error"]["detail"]
