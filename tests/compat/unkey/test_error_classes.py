"""What seldom goes wrong is an error of the official client's own classes, too."""

import httpx
import pytest

from ragauth.errors import ExternalServiceUnavailable, RateLimitExceeded, UsageLimitExceeded
from ragauth.services.keys.check import KeyChecker
from tests.clients import Client
from tests.e2e.unkey.clients import OfPython
from tests.factories.api_keys import make_service_key


@pytest.mark.parametrize(
    ("fault", "name", "status"),
    [
        (ZeroDivisionError(), "InternalServerErrorResponse", 500),
        (RateLimitExceeded(7), "TooManyRequestsErrorResponse", 429),
        (UsageLimitExceeded(), "TooManyRequestsErrorResponse", 429),
        # Its documents have no class for this status.
        (ExternalServiceUnavailable(), "APIError", 503),
    ],
)
def test_each_is_a_class_of_the_client(
    faces: Client, monkeypatch: pytest.MonkeyPatch, fault: Exception, name: str, status: int
) -> None:
    root_key = make_service_key(faces.app, "verify")

    def fail(*_: object, **__: object) -> object:
        raise fault

    monkeypatch.setattr(KeyChecker, "check", fail)
    with httpx.Client(transport=httpx.WSGITransport(app=faces.app)) as transport:
        client = OfPython("http://localhost/compat/unkey", transport)
        answer = client.ask(root_key, "keys.verifyKey", {"key": "x"})
    assert (answer.error, answer.status) == (name, status)
    assert set(answer.body) == {"meta", "error"}
    assert answer.body["error"]["status"] == status
