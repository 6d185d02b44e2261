"""The gate: answers plain key checks, and refuses logins, before Flask is asked.

It answers the plain cases of `authorize` and `keys/verify`, and refuses logins while every place to
hash is taken.

It asks the same checker, renders with the same functions and adds the same headers as the routes
do. Whatever is not plain (a fault in the question, no credential, a JWT, plain HTTP where HTTPS is
required) goes on to the application, which answers it.
"""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from flask import Flask
from werkzeug.http import HTTP_STATUS_CODES

from ragauth.deadlines import WouldWait, check_deadline, current_deadline
from ragauth.errors import InvalidRequest, RagauthError
from ragauth.extensions import current_policy, settings
from ragauth.metrics import note_request
from ragauth.security.key_format import is_token_shaped
from ragauth.security.scopes import VERIFY
from ragauth.services.keys.check import (
    SERVICE_KINDS,
    KeyVerdict,
    Outcome,
    Question,
    current_checker,
)
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

_STATUS_LINES = {code: f"{code} {phrase.upper()}" for code, phrase in HTTP_STATUS_CODES.items()}
_MAY_VERIFY = Question(kinds=SERVICE_KINDS, scopes=(VERIFY,))

# What a request asks the checker, one question after another. A result of None leaves the answer to
# the application.
Asks: TypeAlias = Generator[tuple[str, Question], KeyVerdict, Answer | None]
Ask: TypeAlias = Callable[["WSGIEnvironment"], Asks]


class Reply(NamedTuple):
    """What an application answers, as WSGI has it."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


class _Asking:
    """A request whose answer is being found."""

    __slots__ = ("answer", "environ", "request_id", "route", "steps")

    def __init__(self, environ: "WSGIEnvironment", route: str, ask: Ask) -> None:
        self.environ = environ
        self.route = route
        self.request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID"))
        self.steps = ask(environ)
        self.answer: Answer | WouldWait | None = None

    def go_on(self, outcome: Outcome | None) -> tuple[str, Question] | None:
        """The next question; None if `answer` stands."""
        try:
            if isinstance(outcome, BaseException):
                return self.steps.throw(outcome)
            return self.steps.send(outcome)  # type: ignore[arg-type]
        except StopIteration as done:
            self.answer = done.value
        except WouldWait as error:
            self.answer = error
        except Exception as error:  # as in Flask: every error becomes an answer in the envelope
            self.answer = answer_to(error, self.request_id)
        return None


class Gate:
    """A WSGI wrapper around the application, which also answers several requests at once."""

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
        asking = self._find(environ)
        if asking is None:
            return self.application(environ, start_response)
        if asking.route not in (AUTHORIZE, KEYS_VERIFY):
            # No deadline for a login: it may wait for its hash.
            return self._answer(asking, start_response)
        deadline = check_deadline(hands_over=MUST_NOT_WAIT in environ)
        token = current_deadline.set(deadline)
        try:
            return self._answer(asking, start_response)
        finally:
            current_deadline.reset(token)

    def answer_round(self, environs: "Sequence[WSGIEnvironment]") -> list[Reply | WouldWait | None]:
        """Answer requests that have arrived, in one round trip to the database and the counters.

        Their thread must not wait. None for a request that is to be given to the application, in
        which nothing was counted; WouldWait for one that another thread must answer.
        """
        token = current_deadline.set(check_deadline(hands_over=True))
        try:
            found = [self._find(environ) for environ in environs]
            return self._replies(found)
        finally:
            current_deadline.reset(token)

    def _find(self, environ: "WSGIEnvironment") -> _Asking | None:
        path = environ["PATH_INFO"]
        route = path.rstrip("/")
        ask: Ask | None = None
        if is_authorize(path):
            ask, route = self._authorize, AUTHORIZE
        elif environ["REQUEST_METHOD"] == "POST":
            ask = self._posts.get(path)
        if ask is None or (self._require_https and environ["wsgi.url_scheme"] != "https"):
            return None
        return _Asking(environ, route, ask)

    def _replies(self, found: Sequence[_Asking | None]) -> list[Reply | WouldWait | None]:
        """Each answer is logged and counted. None leaves it to the application."""
        started_at = time.perf_counter()
        going = [asking for asking in found if asking is not None]
        # A line that is logged meanwhile may be of all of them.
        current_request_id.set(",".join([asking.request_id for asking in going]))
        outcomes: Sequence[Outcome | None] = [None] * len(going)
        while going:
            further: list[_Asking] = []
            questions: list[tuple[str, Question]] = []
            for asking, outcome in zip(going, outcomes, strict=True):
                question = asking.go_on(outcome)
                if question is not None:
                    further.append(asking)
                    questions.append(question)
            going = further
            outcomes = self._checker.check_all(questions) if questions else ()
        current_request_id.set(None)
        return [None if asking is None else self._finish(asking, started_at) for asking in found]

    def _finish(self, asking: _Asking, started_at: float) -> Reply | WouldWait | None:
        answer, environ, request_id = asking.answer, asking.environ, asking.request_id
        if answer is None or isinstance(answer, WouldWait):
            return answer
        method = environ["REQUEST_METHOD"]
        write_request_line(
            request_id,
            method,
            environ["PATH_INFO"],
            answer.status,
            started_at,
            environ.get("REMOTE_ADDR"),
            answer.account_id,
        )
        note_request(asking.route, method, answer.status, time.perf_counter() - started_at)
        headers = [
            *answer.headers,
            ("X-Request-Id", request_id),
            *FIXED_HEADERS,
            NEVER_STORED,
            ("Content-Length", str(len(answer.body))),
        ]
        body = b"" if method == "HEAD" else answer.body
        return Reply(_STATUS_LINES[answer.status], headers, body)

    def _answer(self, asking: _Asking, start_response: "StartResponse") -> Iterable[bytes]:
        (reply,) = self._replies((asking,))
        if isinstance(reply, WouldWait):
            raise reply
        if reply is None:
            environ = asking.environ
            environ["HTTP_X_REQUEST_ID"] = asking.request_id
            if asking.route == AUTHORIZE:
                # authorize takes any path below it and any method, also those that no route can
                # match.
                environ["PATH_INFO"] = AUTHORIZE
                if environ["REQUEST_METHOD"] not in ANY_METHOD:
                    environ["REQUEST_METHOD"] = "GET"
            return self.application(environ, start_response)
        start_response(reply.status, reply.headers)
        return (reply.body,)

    def _authorize(self, environ: "WSGIEnvironment") -> Asks:
        key = _plain_key(environ)
        if key is None:
            return None
        try:
            question, limit_status = authorize_question(environ, self._policy)
        except InvalidRequest:
            # A refused key comes before faults in the question, and wording the faults costs more
            # time.
            verdict = yield key, presented_in(environ, Question())
            if verdict.refusal is None:
                return None
            return authorize_answer(verdict, self._policy, limit_status=verdict.refusal.status)
        verdict = yield key, question
        return authorize_answer(verdict, self._policy, limit_status=limit_status)

    def _verify(self, environ: "WSGIEnvironment") -> Asks:
        service_key = _plain_key(environ)
        if service_key is None or environ.get("CONTENT_TYPE") != JSON_TYPE:
            return None
        asker = yield service_key, presented_in(environ, _MAY_VERIFY)
        body = None if asker.refusal is not None else read_early(environ)
        asked = None if body is None else parse_plain_body(body, self._policy)
        if asked is None:
            return None
        return verify_answer((yield asked), self._policy)


def _plain_key(environ: "WSGIEnvironment") -> str | None:
    """The one API key of a request; None if the application must answer with an error."""
    try:
        key = presented_key(environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_X_API_KEY"))
    except RagauthError:
        return None
    return None if is_token_shaped(key) else key
