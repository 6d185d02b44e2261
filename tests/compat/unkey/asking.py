"""Calls of Unkey's methods without a client."""

from typing import Any

from tests.clients import Client

V2 = "/compat/unkey/v2"


class Root:
    """Who has a root key."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def data(self, method: str, **body: Any) -> Any:
        """The data of an answer that must be a success."""
        response = self.client.post(f"{V2}/{method}", body)
        assert response.status_code == 200, response.text
        assert set(response.get_json()) <= {"meta", "data", "pagination"}
        return response.get_json()["data"]

    def faults(self, method: str, **body: Any) -> list[str]:
        """The places of the faults of an answer that must be a 400."""
        response = self.client.post(f"{V2}/{method}", body)
        assert response.status_code == 400, response.text
        return [fault["location"] for fault in response.get_json()["error"]["errors"]]

    def make_api(self) -> str:
        api_id: str = self.data("apis.createApi", name="payments")["apiId"]
        return api_id

    def make_key(self, **fields: Any) -> tuple[str, str]:
        """The id of a new key in a new API, and its raw form."""
        made = self.data("keys.createKey", **{"apiId": self.make_api(), **fields})
        return made["keyId"], made["key"]

    def show(self, key_id: str) -> Any:
        return self.data("keys.getKey", keyId=key_id)

    def verify(self, key: str, **asked: Any) -> Any:
        return self.data("keys.verifyKey", key=key, **asked)
