"""Turns every exception into an answer, in the wording of the face that was called.

Handlers are registered for classes, never for status codes: Flask looks those up first, and a face
could then have no errors of its own.
"""

import logging

from flask import Flask, Response, g, request
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from ragauth import errors
from ragauth.database_faults import fault_of, log_fault
from ragauth.errors import (
    BodyTooLarge,
    Conflict,
    ExternalServiceUnavailable,
    RagauthError,
    RequestRefused,
)
from ragauth.metrics import DATABASE_ERRORS
from ragauth.web.envelope import JSON_TYPE, Answer, encode_json, error_body, error_header
from ragauth.web.faces import current_wording
from ragauth.web.paths import max_body_bytes

log = logging.getLogger("ragauth")


def register_error_handlers(app: Flask) -> None:
    app.register_error_handler(RagauthError, _failure)
    app.register_error_handler(HTTPException, _http_failure)
    app.register_error_handler(SQLAlchemyError, _database_failure)
    app.register_error_handler(IntegrityError, _constraint_failure)
    app.register_error_handler(Exception, _crash)


def _failure(error: RagauthError) -> Response:
    # `after_this_request` functions read it: they delete a refused cookie.
    g.failure = error
    return current_wording().failure(error)


def _http_failure(error: HTTPException) -> Response:
    """Answer Werkzeug's own exceptions: with their headers (`Allow`), without their HTML."""
    if isinstance(error, InternalServerError):
        return _crash(error.original_exception or error)
    if error.code == BodyTooLarge.status:
        return _failure(BodyTooLarge.than(max_body_bytes(request.path)))
    if isinstance(error, NotFound | RequestRedirect):
        return _failure(errors.NoSuchRoute())
    headers = {
        name: value
        for name, value in error.get_response().headers
        if name not in ("Content-Type", "Content-Length")
    }
    if isinstance(error, MethodNotAllowed):
        return _failure(errors.MethodNotAllowed(headers=headers))
    return _failure(RequestRefused(error.code or 400, error.name, headers))


def _database_failure(error: SQLAlchemyError) -> Response:
    """503 if the database is at fault (unreachable, or refusing writes); else a bug."""
    if fault_of(error) is None:
        return _crash(error)
    return _failure(_unavailable(error))


def _unavailable(error: Exception) -> ExternalServiceUnavailable:
    if isinstance(error, PoolTimeout):
        # Other database errors are counted where the driver raises them.
        DATABASE_ERRORS.count()
    log_fault(error)
    return ExternalServiceUnavailable()


def _constraint_failure(error: IntegrityError) -> Response:
    """Two changes collided: another one deleted a row that this one refers to."""
    log.warning("a constraint refused a change", extra={"cause": type(error.orig).__name__})
    return _failure(Conflict())


def _crash(error: BaseException) -> Response:
    """Answer a bug: the caller gets the request id, the log gets the stack."""
    log.error("unhandled exception", exc_info=error)
    return _failure(RagauthError(details={"request_id": g.get("request_id")}))


def answer_to(error: Exception, request_id: str) -> Answer:
    """The answer to an exception in the gate."""
    if fault_of(error) is not None:
        error = _unavailable(error)
    if not isinstance(error, RagauthError):
        log.error("unhandled exception", exc_info=error)
        error = RagauthError(details={"request_id": request_id})
    body = encode_json(error_body(error))
    headers = [("Content-Type", JSON_TYPE), *error.headers.items(), error_header(body)]
    return Answer(error.status, headers, body)
