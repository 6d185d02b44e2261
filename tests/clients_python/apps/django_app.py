"""The service in Django: the middleware, and what single views ask; under WSGI and ASGI."""

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from ragauth_client.django import async_client, client, public, require_key

__all__ = ["async_client", "client"]

if not settings.configured:
    settings.configure(
        SECRET_KEY="a secret of the tests",
        ROOT_URLCONF="tests.clients_python.apps.django_app",
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=["ragauth_client.django.RagauthMiddleware"],
        LOGGING_CONFIG=None,
    )
    django.setup()


@require_key(scope="ingest")
def ingest(request: HttpRequest) -> HttpResponse:
    caller = request.ragauth
    return JsonResponse({"account": caller.account_id, "unchecked": caller.is_unchecked})


@require_key(lambda asked: {"agent_id": asked.resolver_match.kwargs["agent_id"]}, scope="query")
async def query(request: HttpRequest, agent_id: str) -> HttpResponse:
    return JsonResponse({"agent": agent_id}, status=201)


@require_key(reserve={"tokens": 100})
def answers(request: HttpRequest) -> HttpResponse:
    with client().settling(request.ragauth) as work:
        work.add("tokens", 5)
        if "X-Fail" in request.headers:
            raise RuntimeError("the model failed")
        work.add("tokens", 7)
    return HttpResponse("You asked")


def late(request: HttpRequest) -> HttpResponse:
    with client().reserve("none", {"tokens": 1}):
        return HttpResponse("never")


@public
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [
    path("documents", ingest),
    path("agents/<agent_id>/query", query),
    path("answers", answers),
    path("late", late),
    path("healthz", healthz),
]
