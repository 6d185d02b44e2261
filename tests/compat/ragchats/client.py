"""A client written from RAG Chats' document alone: it refreshes when a token has expired."""

from typing import Any

import httpx


class RagChatsError(Exception):
    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body["message"])
        self.status = status
        self.error: str = body["error"]
        self.details: dict[str, Any] = body["details"]


class RagChatsClient:
    """A user's dashboard."""

    def __init__(self, base_url: str, transport: httpx.BaseTransport) -> None:
        self._http = httpx.Client(base_url=base_url, transport=transport)
        self._access = self._refresh = ""

    def log_in(self, email: str, password: str) -> dict[str, Any]:
        """Returns the user."""
        tokens = self._send("POST", "/auth/login/", {"email": email, "password": password})
        self._access, self._refresh = tokens["access"], tokens["refresh"]
        user: dict[str, Any] = tokens["user"]
        return user

    def log_out(self) -> None:
        self._send("POST", "/auth/logout/", None, self._access)

    def agents(self) -> list[dict[str, Any]]:
        agents: list[dict[str, Any]] = self._as_user("GET", "/agents/")
        return agents

    def create_agent(self, name: str) -> dict[str, Any]:
        agent: dict[str, Any] = self._as_user("POST", "/agents/", {"name": name})
        return agent

    def create_key(self, agent_id: str) -> str:
        """Returns the raw key, shown only once."""
        key: str = self._as_user("POST", f"/agents/{agent_id}/api-keys/", {})["key"]
        return key

    def ask(self, agent_id: str, api_key: str, message: str) -> Any:
        return self._send("POST", f"/agents/{agent_id}/query/", {"message": message}, api_key)

    def _as_user(self, method: str, path: str, body: Any = None) -> Any:
        try:
            return self._send(method, path, body, self._access)
        except RagChatsError as error:
            if error.error != "token_expired":
                raise
            self._access = self._send("POST", "/auth/token/refresh/", {"refresh": self._refresh})[
                "access"
            ]
            return self._send(method, path, body, self._access)

    def _send(self, method: str, path: str, body: Any = None, credential: str = "") -> Any:
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        response = self._http.request(method, f"/api{path}", json=body, headers=headers)
        if response.is_error:
            raise RagChatsError(response.status_code, response.json())
        return response.json() if response.content else None
