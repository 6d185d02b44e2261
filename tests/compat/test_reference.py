"""GET /compat/<vendor>/openapi.json"""

import re

import pytest

from tests.clients import Client
from tests.openapi import assert_valid

# No word of it is stored.
_PATHS = {
    "ragchats": {
        "POST /api/auth/login",
        "POST /api/auth/token/refresh",
        "POST /api/auth/logout",
        "GET /api/agents",
        "POST /api/agents",
        "GET /api/agents/{}/api-keys",
        "POST /api/agents/{}/api-keys",
        "POST /api/agents/{}/query",
    },
    "rst": {
        "POST /v1/auth/register",
        "POST /v1/auth/login",
        "POST /v1/auth/api-keys",
        "GET /v1/auth/api-keys",
        "DELETE /v1/auth/api-keys/{}",
        "GET /v1/me",
    },
    "unkey": {
        f"POST /v2/{method}"
        for method in (
            *(f"apis.{name}" for name in ("createApi", "deleteApi", "getApi", "listKeys")),
            "analytics.getVerifications",
            *(f"identities.{verb}Identity" for verb in ("create", "delete", "get", "update")),
            "identities.listIdentities",
            *(f"keys.{verb}Key" for verb in ("create", "delete", "get", "reroll", "update")),
            *(f"keys.{verb}Permissions" for verb in ("add", "remove", "set")),
            *(f"keys.{name}" for name in ("migrateKeys", "updateCredits", "verifyKey", "whoami")),
            *(f"permissions.{verb}Permission" for verb in ("create", "delete", "get", "update")),
            "permissions.listPermissions",
            "ratelimit.limit",
            "ratelimit.multiLimit",
        )
    },
}


class TestDocuments:
    @pytest.mark.parametrize("vendor", list(_PATHS))
    def test_a_face_describes_its_routes_and_no_others(self, faces: Client, vendor: str) -> None:
        response = faces.get(f"/compat/{vendor}/openapi.json")
        document = response.get_json()
        assert_valid(document)
        found = {
            f"{method.upper()} {re.sub('{.*?}', '{}', path)}"
            for path, operations in document["paths"].items()
            for method in operations
        }
        assert found == {
            f"{method} /compat/{vendor}{path}"
            for method, path in (one.split(" ") for one in _PATHS[vendor])
        }

    @pytest.mark.parametrize("vendor", ["ragchats", "rst"])
    def test_answers_are_described_without_the_envelope(self, faces: Client, vendor: str) -> None:
        document = faces.get(f"/compat/{vendor}/openapi.json").get_json()
        assert '"data"' not in str(document["components"]["schemas"]).replace("'", '"')
        listing = {"ragchats": "/compat/ragchats/api/agents", "rst": "/compat/rst/v1/auth/api-keys"}
        answer = document["paths"][listing[vendor]]["get"]["responses"]["200"]
        assert answer["content"]["application/json"]["schema"]["type"] == "array"
        refusals = document["paths"][listing[vendor]]["post"]["responses"]
        assert {"401", "413", "415", {"ragchats": "400", "rst": "422"}[vendor]} <= set(refusals)

    def test_answers_are_described_in_unkeys_envelope(self, faces: Client) -> None:
        document = faces.get("/compat/unkey/openapi.json").get_json()
        schemas, responses = (document["components"][name] for name in ("schemas", "responses"))
        assert set(schemas["UnkeyKeyResponse"]["required"]) == {"meta", "data"}
        assert set(schemas["UnkeyKeyPage"]["required"]) == {"meta", "data", "pagination"}
        operations = {path: operation["post"] for path, operation in document["paths"].items()}
        listed = operations["/compat/unkey/v2/apis.listKeys"]["responses"]["200"]
        assert listed["content"]["application/json"]["schema"] == {
            "$ref": "#/components/schemas/UnkeyKeyPage"
        }
        for name, schema in (("BadRequest", "BadRequest"), ("NotFound", "Problem")):
            content = responses[name]["content"]["application/json"]
            assert content["schema"] == {"$ref": f"#/components/schemas/{schema}"}
        for operation in operations.values():
            assert {"200", "400", "401", "403", "413", "415"} <= set(operation["responses"])

    @pytest.mark.parametrize("vendor", list(_PATHS))
    def test_the_contracts_own_document_leaves_it_out(self, faces: Client, vendor: str) -> None:
        document = faces.get("/openapi.json").get_json()
        assert [path for path in document["paths"] if path.startswith("/compat")] == []
