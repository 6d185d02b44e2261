"""The settings of the Django middleware, and which views need a key."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings
from django.urls import path as url
from django.urls import resolve

from tests.cases import for_each
from tests.clients_python.apps import django_app
from tests.clients_python.conftest import Vendor
from tests.e2e.service import User

_SETTINGS: dict[str, Any] = {"URL": "http://127.0.0.1:1", "SERVICE_KEY": "rag_svc_x"}


@for_each(
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


@for_each(
    ("path", "status"),
    [("/healthz", 200), ("/documents", 401), ("/answers", 401), ("/late", 503), ("/nowhere", 404)],
)
def test_each_view_needs_a_key_unless_it_is_public(path: str, status: int) -> None:
    """What a view says itself goes before the list; the one behind /late asks in its body."""
    settings = _SETTINGS | {"PUBLIC": ["/late", "/answers"], "OPTIONS": {"waits": ()}}
    with override_settings(RAGAUTH=settings), django_app.client():
        answer = WSGIHandler().get_response(RequestFactory().post(path))
    assert answer.status_code == status


def test_a_view_that_asks_for_a_key_answers_nobody_without_the_middleware() -> None:
    with override_settings(MIDDLEWARE=[], RAGAUTH=_SETTINGS):
        for path in ("/documents", "/agents/agt_1/query"):
            request = RequestFactory().post(path, headers={"X-API-Key": "any"})
            with pytest.raises(ImproperlyConfigured):
                resolve(path).func(request)
            assert WSGIHandler().get_response(request).status_code == 500


def test_a_decorator_that_hides_the_question_answers_nobody(vendor: Vendor, customer: User) -> None:
    def hidden(request: HttpRequest) -> HttpResponse:
        return django_app.ingest(request)

    urls = type("urls", (), {"urlpatterns": [url("hidden", hidden)]})
    settings = _SETTINGS | {"URL": vendor.url, "SERVICE_KEY": vendor.service_key}
    with override_settings(RAGAUTH=settings, ROOT_URLCONF=urls), django_app.client():
        request = RequestFactory().post("/hidden", headers={"X-API-Key": customer.api_key})
        assert WSGIHandler().get_response(request).status_code == 500
        assert hasattr(request, "ragauth")
