"""One declaration for each route: guard, body, query, answer.

`@endpoint` checks the guard, loads the request, calls the view, and renders the result in the
wording of the face that was called. It opens no transaction: the services do, and they commit
before they return.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar
from uuid import UUID

from flask import Response, after_this_request, request
from marshmallow import Schema, ValidationError

from ragauth.deadlines import handing_over
from ragauth.errors import (
    InvalidRequest,
    NoSuchAccount,
    NoSuchAgent,
    NoSuchDelivery,
    NoSuchKey,
    NoSuchSession,
    NoSuchWebhook,
    NotFound,
)
from ragauth.models.base import Page
from ragauth.schemas.account_fields import AccountInPath
from ragauth.schemas.base import EmptySchema, RequestSchema, to_issues
from ragauth.schemas.dumping import Dumper, EitherDumper, dumper_of
from ragauth.schemas.fields import Id, encode_cursor
from ragauth.schemas.plain_uuid import PlainUuid
from ragauth.security.identifiers import AGENT, KEY, MESSAGE, SESSION, WEBHOOK
from ragauth.services.account_lock import acting_in
from ragauth.services.operators import accounts
from ragauth.services.sessions.sessions import Caller
from ragauth.web import idempotency, refresh_cookie
from ragauth.web.check.login_shedding import MUST_NOT_WAIT
from ragauth.web.faces import bare_success, current_wording
from ragauth.web.guards import Failure, Guard, public
from ragauth.web.json_body import read_json_array, read_json_object

View = Callable[..., Any]

PATH_IDS = {
    "account_id": AccountInPath(),
    "agent_id": Id(AGENT),
    "key_id": Id(KEY),
    "session_id": Id(SESSION),
    "webhook_id": Id(WEBHOOK),
    "delivery_id": Id(MESSAGE),
    # In the compat faces: the same rows, named by plain UUIDs.
    "agent_uuid": PlainUuid(),
    "key_uuid": PlainUuid(),
}
NO_ACCOUNT = UUID(int=0)
# The error for an id in the path that does not belong to the caller.
MISSING: dict[str, type[NotFound]] = {
    "account_id": NoSuchAccount,
    "agent_id": NoSuchAgent,
    "key_id": NoSuchKey,
    "session_id": NoSuchSession,
    "webhook_id": NoSuchWebhook,
    "delivery_id": NoSuchDelivery,
    "agent_uuid": NoSuchAgent,
    "key_uuid": NoSuchKey,
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a route takes and returns: all that the OpenAPI document knows of it.

    `errors` are the errors of this route alone, without those that follow from its guard, body or
    path. A route with a `media_type` answers without the envelope. `headers` are those of a
    success, each with its description. `disguised` are errors that it may also answer with another
    status than their own. `is_quick`: see `ragauth.web.quick_routes`.
    """

    guard: Guard
    body: RequestSchema | None = None
    query: RequestSchema = field(default_factory=EmptySchema)
    data: Schema | None = None
    status: int = 200
    errors: tuple[Failure, ...] = ()
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_documented: bool = True
    disguised: Mapping[int, tuple[Failure, ...]] = field(default_factory=dict)
    is_list: bool = False
    dumper: Dumper | EitherDumper | None = None
    is_quick: bool = False
    is_csv_too: bool = False
    is_bare_list: bool = False


_SomeView = TypeVar("_SomeView", bound=View)
_SomeSchema = TypeVar("_SomeSchema", bound=Schema)


def declared(
    *,
    guard: Guard,
    query: type[RequestSchema] = EmptySchema,
    errors: tuple[Failure, ...] = (),
    media_type: str | None = None,
    headers: Mapping[str, str] | None = None,
    is_documented: bool = True,
    disguised: Mapping[int, tuple[Failure, ...]] | None = None,
) -> Callable[[_SomeView], _SomeView]:
    """Declare a route whose view checks its guard, reads its query and builds its answer itself.

    The declaration serves the OpenAPI document alone::

        @ops.get("/metrics")
        @declared(guard=metrics_reader, media_type="text/plain")
        def metrics() -> Response: ...
    """

    def note(view: _SomeView) -> _SomeView:
        view.declaration = Declaration(  # type: ignore[attr-defined]
            guard=guard,
            query=query(),
            errors=errors,
            media_type=media_type,
            headers=headers or {},
            is_documented=is_documented,
            disguised=disguised or {},
        )
        return view

    return note


def endpoint(
    *,
    guard: Guard,
    body: type[RequestSchema] | None = None,
    query: type[RequestSchema] = EmptySchema,
    data: type[Schema] | None = None,
    status: int = 200,
    errors: tuple[Failure, ...] = (),
    is_list: bool = False,
    is_quick: bool = False,
    is_csv_too: bool = False,
    is_bare_list: bool = False,
) -> Callable[[View], View]:
    """Declare a route::

        @agents.post("")
        @endpoint(guard=access_token, body=NewAgentSchema, data=AgentSchema, status=201)
        def create_agent(caller: Caller, body: dict[str, Any]) -> Agent: ...

    The view is called with `caller` (unless the guard is public), `body` and `query` (where a
    schema is declared) and the ids of the path as UUIDs. It returns what `data` dumps: one object,
    or a Page of objects; without `data` the answer has no body. A Response is sent as it is.
    `errors` are what the view may raise beyond what guard, body and path imply. `is_list` is for a
    list without pages: the view returns a Page that has them all. `is_quick` is for a route that
    hashes nothing, and costs little where plain rows, the counters and prepared reads will do.
    `is_csv_too` is for a view that returns a file of CSV to clients that prefer it to JSON.
    `is_bare_list` is for another system's protocol: body and answer are arrays, the answer without
    the envelope.
    """
    schema = None if data is None else data()
    declaration = Declaration(
        guard,
        None if body is None else _made(body, is_bare_list),
        query(),
        schema,
        status,
        errors,
        is_list=is_list,
        dumper=None if schema is None else dumper_of(schema),
        is_quick=is_quick,
        is_csv_too=is_csv_too,
        is_bare_list=is_bare_list,
    )

    def decorate(view: View) -> View:
        @wraps(view)
        def call(**path: str) -> Response:
            if is_csv_too:
                # Errors too: a cache must not give one to a client that accepts another type.
                after_this_request(_vary_by_accept)
            if is_quick and MUST_NOT_WAIT in request.environ:
                with handing_over():
                    return answer(path)
            return answer(path)

        def answer(path: dict[str, str]) -> Response:
            arguments: dict[str, Any] = {}
            caller = guard()
            if guard is not public:
                arguments["caller"] = caller

            def make() -> Response:
                arguments.update(_load(declaration, path))
                _find_named_account(arguments)
                with acting_in(caller.session_id if isinstance(caller, Caller) else None):
                    result = view(**arguments)
                return _answer(declaration, result)

            return idempotency.answer_once(make)

        call.declaration = declaration  # type: ignore[attr-defined]
        return call

    return decorate


def _made(schema: type[_SomeSchema], is_of_list: bool) -> _SomeSchema:
    """A schema; one may be of a list by itself."""
    return schema(many=True) if is_of_list else schema()


def _vary_by_accept(response: Response) -> Response:
    response.vary.add("Accept")
    return response


def _load(declaration: Declaration, path: dict[str, str]) -> dict[str, Any]:
    """Load path, query and body for the view; reports all their faults together.

    Those of an Idempotency-Key too.
    """
    arguments: dict[str, Any] = {}
    issues: list[dict[str, Any]] = [*idempotency.header_issues()]
    for name, text in path.items():
        try:
            arguments[name] = PATH_IDS[name].deserialize(text)
        except ValidationError as error:
            issues.extend(to_issues(error.messages, (name,)))
    parts: list[tuple[str, RequestSchema | None, Callable[[RequestSchema], Any]]] = [
        ("query", declaration.query, _read_query),
        ("body", declaration.body, _read_body),
    ]
    for name, schema, read in parts:
        if schema is None:
            continue
        try:
            given = read(schema)
            takes_nothing = isinstance(schema, EmptySchema)
            # Skip an empty load, which costs as much time as any other.
            loaded = given if takes_nothing and not given else schema.load(given)
        except ValidationError as error:
            issues.extend(to_issues(error.messages))
        else:
            if not takes_nothing:
                arguments[name] = loaded
    if issues:
        raise InvalidRequest(issues)
    return arguments


def _find_named_account(arguments: dict[str, Any]) -> None:
    """Replace an external id, in the path or in the query, by the id of the account.

    An unknown one is as an unknown id: NoSuchAccount is raised for the path's, and the query's
    becomes an id that no account has.
    """
    if isinstance(arguments.get("account_id"), str):
        arguments["account_id"] = accounts.find_id(arguments["account_id"])
        if arguments["account_id"] is None:
            raise NoSuchAccount
    query = arguments.get("query", {})
    if isinstance(query.get("account_id"), str):
        query["account_id"] = accounts.find_id(query["account_id"]) or NO_ACCOUNT


def _read_query(_schema: RequestSchema) -> dict[str, Any]:
    """The query's parameters; a parameter that is given twice is a fault."""
    if not request.query_string:
        return {}
    repeated = [name for name, values in request.args.lists() if len(values) > 1]
    if repeated:
        raise ValidationError({name: ["Given more than once"] for name in repeated})
    return request.args.to_dict()


def _read_body(schema: RequestSchema) -> Any:
    if schema.many:
        return read_json_array()
    return refresh_cookie.receive(schema, read_json_object())


def _answer(declaration: Declaration, result: Any) -> Response:
    if isinstance(result, Response):
        return result
    dumper = declaration.dumper
    if dumper is None:
        return Response(status=declaration.status)
    if declaration.is_bare_list:
        return bare_success(dumper.dump_all(result), declaration.status, None)
    success = current_wording().success
    if isinstance(result, Page):
        meta = {"next_cursor": encode_cursor(result.next_cursor)}
        return success(dumper.dump_all(result.items), declaration.status, meta)
    return success(refresh_cookie.extract(dumper.dump(result)), declaration.status, None)
