"""The house rules about source text: each takes a folder and names what breaks it."""

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from tests.architecture.imports import walk

Rule = Callable[[Path], list[str]]

MAX_LINES = 400
_ENDS = {"commit", "rollback"}
_BEGINNINGS = {"unit_of_work", "read_only", "held_open"}
_MIGRATIONS = "migrations/versions"
_WALL_CLOCK = {
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
    "time.ctime",
    "time.strftime",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
}
_ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv"}
_NORMAL_FORMS = {"unicodedata.normalize", "unicodedata.ucd_3_2_0.normalize"}
_UNNAMED_PATTERNS = {
    f"re.{name}"
    for name in ("match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")
}
_HTTP_IN_FLASK = {
    "flask.request",
    "flask.g",
    "flask.jsonify",
    "flask.session",
    "flask.abort",
    "flask.redirect",
    "flask.make_response",
    "flask.url_for",
    "flask.Response",
}


def commits_only_in_transaction(source: Path) -> list[str]:
    """`commit()` and `rollback()` are called in transaction.py alone."""
    return [
        f"{place}: {node.func.attr}()"
        for place, _, node in _nodes(source, _ENDS, except_for={"transaction.py"})
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _ENDS
    ]


def transactions_begin_in_services(source: Path) -> list[str]:
    """A block is opened where one reads the use case: no view, no command, no model does so."""
    return [
        f"{place}: {node.func.attr}()"
        for place, _, node in _nodes(source, _BEGINNINGS, except_for={"transaction.py"})
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _BEGINNINGS
        and not place.startswith("services/")
    ]


def environment_only_in_config(source: Path) -> list[str]:
    """The environment is read in config/ alone, by three of its modules."""
    read_by = {"config/environment.py", "config/server.py", "config/mount.py"}
    return _uses(source, _ENVIRONMENT, except_for=read_by)


def wall_clock_only_in_clock(source: Path) -> list[str]:
    """What time it is, is asked in clock.py alone; a stop watch may be used anywhere."""
    return _uses(source, _WALL_CLOCK, except_for={"clock.py"})


def normal_forms_in_one_module(source: Path) -> list[str]:
    """Text is normalised and case-folded in security/normal_forms.py alone, which bounds it first;
    the library for addresses, which normalises too, is asked in security/emails.py alone.
    """
    own = {"security/normal_forms.py"}
    case_folds = [
        f"{place}: casefold()"
        for place, _, node in _nodes(source, {"casefold"}, except_for=own)
        if isinstance(node, ast.Attribute) and node.attr == "casefold"
    ]
    return [
        *_uses(source, _NORMAL_FORMS, except_for=own),
        *_uses(source, {"email_validator.validate_email"}, except_for={"security/emails.py"}),
        *case_folds,
    ]


def patterns_have_names(source: Path) -> list[str]:
    """A pattern is compiled in a module or a class, where the test of its cost finds it.

    Two are made of a setting, in functions that the test knows.
    """
    compiled_later = [
        f"{place}: re.compile() in {node.name}"
        for place, aliases, node in _nodes(
            source, {"compile"}, except_for={"security/key_format.py", "web/cors.py"}
        )
        if isinstance(node, ast.FunctionDef)
        and any(
            isinstance(inner, ast.Attribute | ast.Name) and _dotted(inner, aliases) == "re.compile"
            for inner in ast.walk(node)
        )
    ]
    return _uses(source, _UNNAMED_PATTERNS, except_for=set()) + compiled_later


def services_know_no_http(source: Path) -> list[str]:
    """Nothing below the web layer takes a request, or makes an answer."""
    below = {"services", "models", "security", "schemas", "counters"}
    return [
        fault
        for fault in _uses(source, _HTTP_IN_FLASK, except_for=set())
        if fault.partition("/")[0] in below
    ]


def nothing_prints(source: Path) -> list[str]:
    """What a person should read goes through click, what a program should, through the log."""
    return _uses(source, {"print"}, except_for=set())


def files_are_short(source: Path) -> list[str]:
    """No file has more lines than one can keep in mind; migrations have what they must."""
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for path in sorted(source.rglob("*.py"))
        if not _name(source, path).startswith(_MIGRATIONS)
    }
    return [
        f"{_name(source, path)}: {length} lines"
        for path, length in lengths.items()
        if length > MAX_LINES
    ]


def modules_say_what_they_own(source: Path) -> list[str]:
    """Each module opens with a docstring, or is empty."""
    return [
        _name(source, path)
        for path in sorted(source.rglob("*.py"))
        if (text := path.read_text(encoding="utf-8")).strip()
        and ast.get_docstring(walk(text)[0]) is None
    ]


def _uses(source: Path, names: set[str], *, except_for: set[str]) -> list[str]:
    """Where one of the dotted names is used, under whatever name it was imported."""
    return [
        f"{place}: {used}"
        for place, aliases, node in _nodes(
            source, {name.rpartition(".")[2] for name in names}, except_for=except_for
        )
        if isinstance(node, ast.Attribute | ast.Name) and (used := _dotted(node, aliases)) in names
    ]


def _nodes(
    source: Path, words: set[str], *, except_for: set[str]
) -> Iterator[tuple[str, dict[str, str], ast.AST]]:
    """Every node with its place (`web/envelope.py:12`) and its module's imported names.

    Of modules that have one of the words alone.
    """
    for path in sorted(source.rglob("*.py")):
        name = _name(source, path)
        text = path.read_text(encoding="utf-8")
        if name in except_for or not any(word in text for word in words):
            continue
        nodes, aliases = _parsed(text)
        for node in nodes:
            yield f"{name}:{getattr(node, 'lineno', 0)}", aliases, node


@cache
def _parsed(text: str) -> tuple[list[ast.AST], dict[str, str]]:
    """The nodes of a module, which several rules look at, and its imported names."""
    nodes = walk(text)
    return nodes, _imported(nodes)


def _name(source: Path, path: Path) -> str:
    return path.relative_to(source).as_posix()


def _imported(nodes: list[ast.AST]) -> dict[str, str]:
    """What each imported name stands for: `{"moment": "datetime.datetime"}`."""
    aliases = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return aliases


def _dotted(node: ast.Attribute | ast.Name, aliases: dict[str, str]) -> str | None:
    """The full name of `a.b.c`, with what `a` was imported as."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node.value, ast.Attribute | ast.Name):
        base = _dotted(node.value, aliases)
        return None if base is None else f"{base}.{node.attr}"
    return None
