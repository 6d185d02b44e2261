"""Calls of ragauth's routes for services, with the key of this one."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_SECONDS = 5
# ragauth is a neighbour: a proxy from the environment must not come between.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(eq=False)
class CallFailed(Exception):
    """ragauth refused the call with this status and error, or (status 0) gave no answer."""

    status: int = 0
    error: Mapping[str, Any] = field(default_factory=dict)

    @property
    def may_succeed_later(self) -> bool:
        return self.status == 0 or self.status == 429 or self.status >= 500


@dataclass(frozen=True)
class Ragauth:
    """Where ragauth is, and a service key with the scope `verify`."""

    url: str
    service_key: str

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The `data` of the answer. Raises CallFailed."""
        asked = urllib.request.Request(  # noqa: S310 - the operator's own URL
            f"{self.url.rstrip('/')}/api/v1{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "X-API-Key": self.service_key},
        )
        try:
            with _opener.open(asked, timeout=TIMEOUT_SECONDS) as answer:
                data: dict[str, Any] = json.load(answer)["data"]
                return data
        except urllib.error.HTTPError as refusal:
            raise CallFailed(refusal.code, _error_in(refusal)) from refusal
        except (OSError, ValueError, KeyError) as error:
            raise CallFailed from error


def _error_in(refusal: urllib.error.HTTPError) -> Mapping[str, Any]:
    try:
        error: Mapping[str, Any] = json.load(refusal)["error"]
    except (OSError, ValueError, KeyError):
        return {}
    return error
