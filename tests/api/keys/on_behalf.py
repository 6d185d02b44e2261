"""Members whose keys a service of the operator's manages."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from werkzeug.test import TestResponse

from tests.clients import Client, Member
from tests.factories.api_keys import make_service_key

_KEYS = re.compile(r"/api/auth/api-keys(?P<one>/[^?]*)?(?P<query>\?.*)?")


class OperatorsClient(Client):
    """Who signs up here leaves the keys to the operator."""

    def sign_up(self, **overrides: Any) -> Member:
        member = super().sign_up(**overrides)
        return on_behalf_of(member)


def on_behalf_of(member: Member) -> Member:
    """The same member, whose keys a service manages."""
    return replace(member, client=_OnBehalf(member))


class _OnBehalf(Client):
    def __init__(self, member: Member) -> None:
        super().__init__(member.client.app, member.client.headers)
        self._account_id = member.id
        self._service = Client(self.app).as_key(make_service_key(self.app, "keys"))

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> TestResponse:
        found = _KEYS.fullmatch(path)
        if found is None:
            return super().request(method, path, headers=headers, **options)
        one, query = found["one"], found["query"] or ""
        below = f"/api-keys{one}" if one else f"/accounts/{self._account_id}/api-keys"
        return self._service.request(
            method, f"/api/v1/internal{below}{query}", headers=headers, **options
        )
