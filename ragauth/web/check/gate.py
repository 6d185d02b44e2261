"""The gate: answers plain key checks, and refuses logins, before Flask is asked.

It answers the plain cases of `authorize` and `keys/verify`, and refuses logins while every place to
hash is taken.

It asks the same checker, renders with the same functions and adds the same headers as the routes
do. Whatever is not plain (a fault in the question, no credential, a JWT, plain HTTP where HTTPS is
required) goes on to the application, which answers it.
"""

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask

from ragauth.deadlines import WouldWait, check_deadline, current_deadline
from ragauth.errors import InvalidRequest, RagauthError
from ragauth.extensions import current_policy, settings
from ragauth.metrics import note_request
from ragauth.security.key_format import is_token_shaped
from ragauth.security.scopes import VERIFY
from ragauth.services.keys.check import SERVICE_KINDS, Question, current_checker
from ragauth.web.around import (
    FIXED_HEADERS,
    NEVER_STORED,
    current_request_id,
    request_id_of,
    write_request_line,
)
from ragauth.web.check.answers import authorize_answer, verify_answer
from ragauth.web.check.login_shedding import MUST_NOT_WAIT, login_shedders
from ragauth.web.check.questions import authorize_question, parse_plain_body, presented_in
from ragauth.web.credentials import presented_key
from ragauth.web.envelope import JSON_TYPE, Answer
from ragauth.web.error_handlers import answer_to
from ragauth.web.json_body import read_early
from ragauth.web.paths import ANY_METHOD, AUTHORIZE, KEYS_VERIFY, is_authorize

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_STATUS_LINES = {status.value: f"{status.value} {status.phrase.upper()}" for status in HTTPStatus}
_MAY_VERIFY = Question(kinds=SERVICE_KINDS, scopes=(VERIFY,))

# A result of None leaves the answer to the application.
Ask = Callable[["WSGIEnvironment"], Answer | None]


class Gate:
    """A WSGI wrapper around the application."""

    def __init__(self, app: Flask) -> None:
        self.application: WSGIApplication = app.wsgi_app
        with app.app_context():
            self._checker = current_checker()
            self._policy = current_policy()
            self._require_https = settings().require_https
        self._posts: dict[str, Ask] = {
            KEYS_VERIFY: self._verify,
            f"{KEYS_VERIFY}/": self._verify,
            **login_shedders(app),
        }

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        route = path.rstrip("/")
        ask: Ask | None = None
        if is_authorize(path):
            ask, route = self._authorize, AUTHORIZE
        elif environ["REQUEST_METHOD"] == "POST":
            ask = self._posts.get(path)
        if ask is None or (self._require_https and environ["wsgi.url_scheme"] != "https"):
            return self.application(environ, start_response)
        if route not in (AUTHORIZE, KEYS_VERIFY):
            # No deadline for a login: it may wait for its hash.
            return self._answer(ask, path, route, environ, start_response)
        deadline = check_deadline(hands_over=MUST_NOT_WAIT in environ)
        token = current_deadline.set(deadline)
        try:
            return self._answer(ask, path, route, environ, start_response)
        finally:
            current_deadline.reset(token)

    def _answer(
        self,
        ask: Ask,
        path: str,
        route: str,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
    ) -> Iterable[bytes]:
        started_at = time.perf_counter()
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID"))
        current_request_id.set(request_id)
        try:
            answer = ask(environ)
        except WouldWait:
            current_request_id.set(None)
            raise
        except Exception as error:  # as in Flask: every error becomes an answer in the envelope
            answer = answer_to(error, request_id)
        else:
            if answer is None:
                environ["HTTP_X_REQUEST_ID"] = request_id
                if route == AUTHORIZE:
                    # authorize takes any path below it and any method, also those that no route can
                    # match.
                    environ["PATH_INFO"] = AUTHORIZE
                    if environ["REQUEST_METHOD"] not in ANY_METHOD:
                        environ["REQUEST_METHOD"] = "GET"
                return self.application(environ, start_response)
        method = environ["REQUEST_METHOD"]
        write_request_line(
            request_id,
            method,
            path,
            answer.status,
            started_at,
            environ.get("REMOTE_ADDR"),
            answer.account_id,
        )
        current_request_id.set(None)
        note_request(route, method, answer.status, time.perf_counter() - started_at)
        start_response(
            _STATUS_LINES[answer.status],
            [
                *answer.headers,
                ("X-Request-Id", request_id),
                *FIXED_HEADERS,
                NEVER_STORED,
                ("Content-Length", str(len(answer.body))),
            ],
        )
        return () if method == "HEAD" else (answer.body,)

    def _authorize(self, environ: "WSGIEnvironment") -> Answer | None:
        key = _plain_key(environ)
        if key is None:
            return None
        try:
            question, limit_status = authorize_question(environ, self._policy)
        except InvalidRequest:
            # A refused key comes before faults in the question, and wording the faults costs more
            # time.
            verdict = self._checker.check(key, presented_in(environ, Question()))
            if verdict.refusal is None:
                return None
            return authorize_answer(verdict, self._policy, limit_status=verdict.refusal.status)
        verdict = self._checker.check(key, question)
        return authorize_answer(verdict, self._policy, limit_status=limit_status)

    def _verify(self, environ: "WSGIEnvironment") -> Answer | None:
        service_key = _plain_key(environ)
        if service_key is None or environ.get("CONTENT_TYPE") != JSON_TYPE:
            return None
        asker = self._checker.check(service_key, presented_in(environ, _MAY_VERIFY))
        body = None if asker.refusal is not None else read_early(environ)
        asked = None if body is None else parse_plain_body(body, self._policy)
        if asked is None:
            return None
        return verify_answer(self._checker.check(*asked), self._policy)


def _plain_key(environ: "WSGIEnvironment") -> str | None:
    """The one API key of a request; None if the application must answer with an error."""
    try:
        key = presented_key(environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_X_API_KEY"))
    except RagauthError:
        return None
    return None if is_token_shaped(key) else key
