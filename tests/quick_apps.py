"""What each application works out anew although it comes out the same: the tests make many.

Werkzeug takes the URL of each route apart, and compiles two functions for it; SQLAlchemy compiles
each statement that is prepared, and for each engine each statement that is executed; httpx reads
the certificates of all authorities for each client. Together that is most of what an application
costs, its first requests included.
"""

import ssl
from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect, Engine, Select
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from ragauth.models import plain_rows
from ragauth.models.reads import prepared, rows
from ragauth.postgres.dialect import Dialect as PostgresDialect

_COMPILE = "compile"
_compile: Callable[[Rule], None] = getattr(Rule, _COMPILE)
_BUILDER = "_compile_builder"
_write: Callable[[Rule, bool], Callable[..., tuple[str, str]]] = getattr(Rule, _BUILDER)
# What `compile` leaves in a rule, its two builders aside.
_LEFT = ("_parts", "_trace", "_converters")
_rules: dict[object, dict[str, Any]] = {}

_SQL = "with_named_parameters"
_ROWS = "PlainRows"
_with_named_parameters = plain_rows.with_named_parameters
_compiled: dict[tuple[Select[Any], type[Dialect]], str] = {}
# Room for all statements of a run: 40 MB at most.
_executed: LRUCache[Any, Any] = LRUCache(4_000)


def write_builders_late() -> None:
    """Let each later route write its builders when they are needed."""
    setattr(Rule, _BUILDER, _write_late)


def _write_late(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    written: list[Callable[..., tuple[str, str]]] = []

    def build(own: Rule, **values: object) -> tuple[str, str]:
        if not written:
            written.append(_write(rule, append_unknown))
        return written[0](own, **values)

    return build


def read_rules_once() -> None:
    """Let each URL of a route be taken apart once in this process."""
    setattr(Rule, _COMPILE, _compile_once)


def _compile_once(rule: Rule) -> None:
    assert rule.map is not None
    known = (
        *(rule.rule, rule.host, rule.subdomain, rule.merge_slashes, rule.map.host_matching),
        frozenset(rule.map.converters.items()),
    )
    if known not in _rules:
        _compile(rule)
        _rules[known] = {name: getattr(rule, name) for name in _LEFT}
        return
    vars(rule).update(_rules[known])
    rule.arguments.update(_rules[known]["_converters"])
    for name, append_unknown in (("_build", False), ("_build_unknown", True)):
        setattr(rule, name, _write_late(rule, append_unknown).__get__(rule, None))


def compile_statements_once() -> None:
    """Let a statement be compiled once for each kind of database."""
    for module in (plain_rows, prepared):
        setattr(module, _SQL, _sql)
    setattr(rows, _ROWS, plain_rows.plain_rows)  # It remembers those that it made.
    for dialect in (SQLiteDialect_pysqlite, PostgresDialect):
        setattr(dialect, "__eq__", _is_same_kind)  # noqa: B010
        setattr(dialect, "__hash__", lambda dialect: hash(type(dialect)))  # noqa: B010
    # Each engine makes one of its own, and is given this.
    shared = property(lambda engine: _executed, lambda engine, own: None)
    setattr(Engine, "_compiled_cache", shared)  # noqa: B010


def _is_same_kind(one: Dialect, other: object) -> bool:
    """SQLAlchemy keeps what it compiled by the statement and the dialect."""
    return type(one) is type(other) and _version(one) == _version(other)


def _version(dialect: Any) -> object:
    return getattr(dialect, "server_version_info", None)


def read_authorities_once() -> None:
    """Let clients that go by a file of authorities alone share what was read from it."""
    create = ssl.create_default_context
    read: dict[str, ssl.SSLContext] = {}

    def create_once(*arguments: Any, **keywords: Any) -> ssl.SSLContext:
        if arguments or keywords.keys() != {"cafile"}:
            return create(*arguments, **keywords)
        path = str(keywords["cafile"])
        if path not in read:
            read[path] = create(cafile=path)
        return read[path]

    setattr(ssl, "create_default_context", create_once)  # noqa: B010


def _sql(statement: Select[Any], dialect: Dialect) -> str:
    known = (statement, type(dialect))
    if known not in _compiled:
        _compiled[known] = _with_named_parameters(statement, dialect)
    return _compiled[known]
