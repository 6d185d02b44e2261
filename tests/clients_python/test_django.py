"""The settings of the Django middleware, and which views need a key."""

from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory, override_settings

from tests.clients_python.apps import django_app

_SETTINGS: dict[str, Any] = {"URL": "http://127.0.0.1:1", "SERVICE_KEY": "rag_svc_x"}


@pytest.mark.parametrize(
    "faulty",
    [
        {"URL": "127.0.0.1:1"},
        {"SERVICE_KEY": ""},
        {"PUBLIC": "/healthz"},
        {"PUBLICS": ["/healthz"]},
        {"OPTIONS": {"on_unavailable": "alow"}},
    ],
)
def test_a_wrong_setting_stops_the_start(faulty: dict[str, Any]) -> None:
    with override_settings(RAGAUTH=_SETTINGS | faulty), pytest.raises(ValueError):  # noqa: PT011
        WSGIHandler()


@pytest.mark.parametrize(
    ("path", "status"), [("/healthz", 200), ("/documents", 401), ("/late", 503), ("/nowhere", 404)]
)
def test_each_view_needs_a_key_unless_it_is_public(path: str, status: int) -> None:
    """The view behind /late asks for itself."""
    settings = _SETTINGS | {"PUBLIC": ["/late"], "OPTIONS": {"waits": ()}}
    with override_settings(RAGAUTH=settings), django_app.client():
        answer = WSGIHandler().get_response(RequestFactory().post(path))
    assert answer.status_code == status
