"""Django: a middleware that asks for a key in front of each view.

In the settings: `RAGAUTH = {"URL": …, "SERVICE_KEY": …}`, and optionally `OPTIONS` (the client's
other arguments, as `verify_timeout`), `QUESTION` (what is asked where a view does not say) and
`PUBLIC` (paths that need no key, with all that is below them). `client()` and `async_client()` are
for what views do besides, as settling.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, Unpack, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test.signals import setting_changed

from ragauth_client import gate
from ragauth_client.client import AsyncClient, Client
from ragauth_client.errors import Refused
from ragauth_client.fields import Question
from ragauth_client.models import Verdict

View = TypeVar("View", bound=Callable[..., Any])
Ask = Callable[[HttpRequest], Question]

_RULE = "ragauth_rule"
_PUBLIC = "ragauth_public"


def require_key(ask: Ask | None = None, /, **question: Unpack[Question]) -> Callable[[View], View]:
    """Say what the middleware asks in front of this view, in the place of `QUESTION`.

    `ask` gets the request and returns what else is asked: an agent from
    `request.resolver_match.kwargs`, for example. Where the middleware has not asked this, since it
    is missing in the settings or another decorator hides this one, the view raises
    ImproperlyConfigured instead of answering everybody.
    """
    rule = (ask, question)

    def decorate(view: View) -> View:
        def insist(request: HttpRequest) -> None:
            if getattr(request, _RULE, None) is not rule:
                raise ImproperlyConfigured(
                    "RagauthMiddleware must be in MIDDLEWARE, and each decorator around require_key"
                    " must keep the attributes of the view, as functools.wraps does"
                )

        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            insist(request)
            return view(request, *args, **kwargs)

        setattr(guarded, _RULE, rule)
        if iscoroutinefunction(view):
            markcoroutinefunction(guarded)
        return cast(View, guarded)

    return decorate


def public(view: View) -> View:
    """Say that this view needs no key."""
    setattr(view, _PUBLIC, True)
    return view


def _options() -> dict[str, Any]:
    defaults: dict[str, Any] = {"PUBLIC": (), "QUESTION": {}, "OPTIONS": {}}
    options = {**defaults, **settings.RAGAUTH}
    unknown = options.keys() - {"URL", "SERVICE_KEY", *defaults}
    if unknown or isinstance(options["PUBLIC"], str):
        raise ValueError(f"settings.RAGAUTH: unknown {sorted(unknown)}, or PUBLIC is no list")
    return options


@functools.cache
def client() -> Client:
    """The client that the settings describe, one for the process."""
    options = _options()
    return Client(options["URL"], options["SERVICE_KEY"], **options["OPTIONS"])


@functools.cache
def async_client() -> AsyncClient:
    """The same for asynchronous views."""
    options = _options()
    return AsyncClient(options["URL"], options["SERVICE_KEY"], **options["OPTIONS"])


def _forget_clients(*, setting: str, **_about: object) -> None:
    """A test of the project's has overridden the settings."""
    if setting == "RAGAUTH":
        client.cache_clear()
        async_client.cache_clear()


setting_changed.connect(_forget_clients)


class RagauthMiddleware:
    """Lets in only requests with a key that may do what their view asks.

    The view finds the verdict in `request.ragauth`. It works under WSGI and ASGI.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        # Wrong settings stop the start, not the first request.
        self._options = _options()
        self._client, self._async_client = client(), async_client()
        # Django asks for the one that fits how it runs.
        self.process_view: Callable[..., Any] = self._check
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)
            self.process_view = self._check_async

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._answer_async(request)
        return _tell_limits(request, self._get_response(request))

    async def _answer_async(self, request: HttpRequest) -> HttpResponse:
        return _tell_limits(request, await self._get_response(request))

    def _check(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, _kwargs: Any
    ) -> HttpResponse | None:
        asked = self._question(request, view)
        if asked is None:
            return None
        return _noted(request, self._client.check(_presented(request), **asked))

    async def _check_async(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, _kwargs: Any
    ) -> HttpResponse | None:
        asked = self._question(request, view)
        if asked is None:
            return None
        return _noted(request, await self._async_client.check(_presented(request), **asked))

    def _question(self, request: HttpRequest, view: Callable[..., Any]) -> Question | None:
        """What is asked in front of a view; None for one that needs no key.

        What a view says itself goes first.
        """
        rule = getattr(view, _RULE, None)
        if rule is None:
            if hasattr(view, _PUBLIC) or gate.is_below(request.path_info, self._options["PUBLIC"]):
                return None
            rule = (None, self._options["QUESTION"])
        setattr(request, _RULE, rule)
        ask, question = rule
        return gate.merged(question, ask, request)

    def process_exception(self, _request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Relay what a view raises to refuse."""
        return _relay(error.verdict) if isinstance(error, Refused) else None


def _presented(request: HttpRequest) -> gate.Presented:
    return gate.Presented.of(request.headers.get, request.META.get("REMOTE_ADDR") or None)


def _noted(request: HttpRequest, verdict: Verdict) -> HttpResponse | None:
    """The answer that refuses a request; None where its view may answer, with the verdict."""
    if not verdict.valid:
        return _relay(verdict)
    request.ragauth = verdict
    return None


def _relay(verdict: Verdict) -> HttpResponse:
    headers = gate.relayed_headers(verdict)
    return HttpResponse(verdict.content, status=verdict.status, headers=headers)


def _tell_limits(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    verdict: Verdict | None = getattr(request, "ragauth", None)
    if verdict is not None:
        for name, value in verdict.headers.items():
            response.headers.setdefault(name, value)
    return response
