"""A client written from useragex's document alone."""

from typing import Any

import httpx


class UseragexError(Exception):
    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.status = status
        self.code: str = error["code"]


class UseragexClient:
    """An account's dashboard, and its API with the key."""

    def __init__(self, base_url: str, transport: httpx.BaseTransport) -> None:
        self._http = httpx.Client(base_url=base_url, transport=transport)
        self.token = ""
        self.api_key = ""

    def sign_up(self, email: str, password: str, name: str) -> dict[str, Any]:
        data = self._call(
            "POST", "/api/auth/signup", json={"email": email, "password": password, "name": name}
        )
        self.token, self.api_key = data["token"], data["api_key"]
        account: dict[str, Any] = data["account"]
        return account

    def log_in(self, email: str, password: str) -> None:
        data = self._call("POST", "/api/auth/login", json={"email": email, "password": password})
        self.token = data["token"]

    def me(self) -> dict[str, Any]:
        return self._call("GET", "/api/auth/me", credential=self.token)

    def regenerate(self) -> None:
        data = self._call("POST", "/api/auth/api-key/regenerate", credential=self.token)
        self.api_key = data["api_key"]

    def call_api(self, path: str) -> dict[str, Any]:
        return self._call("GET", f"/api/v1{path}", credential=self.api_key)

    def _call(
        self, method: str, path: str, *, credential: str | None = None, json: Any = None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        response = self._http.request(method, path, json=json, headers=headers)
        body: dict[str, Any] = response.json()
        if response.is_error:
            raise UseragexError(response.status_code, body["error"])
        data: dict[str, Any] = body["data"]
        return data
