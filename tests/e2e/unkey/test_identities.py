"""Unkey's official clients make, find, change and delete identities."""

from uuid import uuid4

from tests.e2e.unkey.conftest import Vendor


def test_one_is_made_found_and_changed(vendor: Vendor) -> None:
    external_id, meta = f"user-{uuid4()}", {"plan": "pro", "nested": {"seats": [1]}}
    made = vendor.data(
        "identities.createIdentity", externalId=external_id, meta=meta, ratelimits=[]
    )
    identity_id = made["identityId"]
    assert identity_id.startswith("id_")
    whole = {"id": identity_id, "externalId": external_id, "meta": meta}
    for named in (identity_id, external_id):
        assert vendor.data("identities.getIdentity", identity=named) == whole
    changed = vendor.data("identities.updateIdentity", identity=external_id, meta={"a": 1})
    assert changed == {**whole, "meta": {"a": 1}}
    assert vendor.data("identities.updateIdentity", identity=identity_id) == changed
    bare = {"id": identity_id, "externalId": external_id}
    assert vendor.data("identities.updateIdentity", identity=identity_id, meta={}) == bare


def test_its_keys_are_its_own_however_it_was_made(vendor: Vendor) -> None:
    external_id = f"user-{uuid4()}"
    made = vendor.data("identities.createIdentity", externalId=external_id, meta={"a": 1})
    key_id, key = vendor.new_key(vendor.new_api(), externalId=external_id)
    identity = {"id": made["identityId"], "externalId": external_id, "meta": {"a": 1}}
    assert vendor.verify(key)["identity"] == identity
    assert vendor.data("keys.getKey", keyId=key_id)["identity"] == identity


def test_one_that_exists_is_a_conflict(vendor: Vendor) -> None:
    external_id = f"user-{uuid4()}"
    vendor.new_key(vendor.new_api(), externalId=external_id)
    refused = vendor.refused("identities.createIdentity", externalId=external_id)
    assert (refused.error, refused.status) == ("ConflictErrorResponse", 409)


def test_they_are_listed_in_pages_and_searched(vendor: Vendor) -> None:
    word = uuid4().hex
    names = [f"{word}-{number}" for number in range(3)]
    for name in names:
        vendor.data("identities.createIdentity", externalId=name)
    first = vendor.ask("identities.listIdentities", limit=2, search=word.upper())
    assert [each["externalId"] for each in first.body["data"]] == names[:0:-1]
    pagination = first.body["pagination"]
    assert pagination["hasMore"] is True
    rest = vendor.ask(
        "identities.listIdentities", limit=2, search=word, cursor=pagination["cursor"]
    )
    assert [each["externalId"] for each in rest.body["data"]] == names[:1]
    assert rest.body["pagination"] == {"hasMore": False}


def test_keys_of_one_that_is_deleted_live_on_without_it(vendor: Vendor) -> None:
    external_id, api_id = f"user-{uuid4()}", vendor.new_api()
    key_id, key = vendor.new_key(api_id, externalId=external_id, credits={"remaining": 3})
    vendor.verify(key)
    assert vendor.ask("identities.deleteIdentity", identity=external_id).error is None
    verdict = vendor.verify(key)
    assert (verdict["code"], verdict["credits"], verdict["keyId"]) == ("VALID", 1, key_id)
    assert "identity" not in verdict
    for method in ("getIdentity", "updateIdentity"):
        refused = vendor.refused(f"identities.{method}", identity=external_id)
        assert (refused.error, refused.status) == ("NotFoundErrorResponse", 404)
    # The clients expect no 404 of this one, and have no class of their own for it.
    refused = vendor.refused("identities.deleteIdentity", identity=external_id)
    assert (refused.error, refused.status) == ("APIError", 404)
    vendor.data("identities.createIdentity", externalId=external_id)


def test_rate_limits_of_one_have_no_place(vendor: Vendor) -> None:
    limits = [{"name": "a", "limit": 1, "duration": 1_000, "autoApply": True}]
    refused = vendor.refused("identities.createIdentity", externalId="x", ratelimits=limits)
    assert (refused.error, refused.status) == ("BadRequestErrorResponse", 400)
    [fault] = refused.body["error"]["errors"]
    assert fault["location"] == "body.ratelimits"
    refused = vendor.refused("identities.createIdentity", vendor.root_key("keys"), externalId="x")
    assert (refused.error, refused.status) == ("ForbiddenErrorResponse", 403)
