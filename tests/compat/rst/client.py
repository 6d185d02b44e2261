"""A client written from RST's document alone."""

from typing import Any

import httpx


class RstError(Exception):
    def __init__(self, status: int, detail: Any) -> None:
        super().__init__(str(detail))
        self.status = status
        self.detail = detail


class RstClient:
    """A user: a JWT for the keys, a key for all below /v1/me."""

    def __init__(self, base_url: str, transport: httpx.BaseTransport) -> None:
        self._http = httpx.Client(base_url=base_url, transport=transport)
        self.token = ""

    def register(self, **fields: str) -> dict[str, Any]:
        user: dict[str, Any] = self._send("POST", "/v1/auth/register", json=fields)
        return user

    def log_in(self, username: str, password: str) -> None:
        answer = self._send(
            "POST", "/v1/auth/login", json={"username": username, "password": password}
        )
        assert answer["token_type"] == "bearer"
        self.token = answer["access_token"]

    def create_key(self, name: str) -> dict[str, Any]:
        key: dict[str, Any] = self._send(
            "POST", "/v1/auth/api-keys", json={"name": name}, headers=self._bearer()
        )
        assert key["raw_key"].startswith(key["prefix"])
        return key

    def list_keys(self) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]] = self._send("GET", "/v1/auth/api-keys", headers=self._bearer())
        return keys

    def revoke(self, key_id: str) -> None:
        self._send("DELETE", f"/v1/auth/api-keys/{key_id}", headers=self._bearer())

    def me(self, raw_key: str) -> dict[str, Any]:
        user: dict[str, Any] = self._send("GET", "/v1/me", headers={"X-API-Key": raw_key})
        return user

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _send(self, method: str, path: str, **options: Any) -> Any:
        response = self._http.request(method, path, **options)
        if response.is_error:
            raise RstError(response.status_code, response.json()["detail"])
        return response.json() if response.content else None
