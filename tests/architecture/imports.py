"""Who imports whom, read from the source text."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

Graph = Mapping[str, set[str]]


@cache
def walk(text: str) -> list[ast.AST]:
    """The nodes of a module, which several rules look at."""
    return list(ast.walk(ast.parse(text)))


def module_graph(package: Path) -> Graph:
    """For each module of a package, by its dotted name, the modules that it imports.

    Imports in functions and those for the types alone count as well. A package is its `__init__`.
    To import a module is to import the packages that it lies in, unless who imports does, too.
    """
    files = {_name_of(path, package): path for path in sorted(package.rglob("*.py"))}
    graph = {}
    for name, path in files.items():
        imported = _imports(path, set(files))
        above = {parent for each in imported for parent in _packages_above(each)}
        graph[name] = imported | {each for each in above if not f"{name}.".startswith(f"{each}.")}
    return graph


def folder_graphs(graph: Graph) -> Mapping[str, Graph]:
    """For each package, its modules and the packages in it, one of these with all that is in it."""
    folders: dict[str, dict[str, set[str]]] = {}
    for name, imported in graph.items():
        for folder in _packages_above(name):
            near = folders.setdefault(folder, {}).setdefault(_child(folder, name), set())
            near.update(_child(folder, each) for each in imported if each.startswith(f"{folder}."))
            near.discard(_child(folder, name))
    return folders


def find_circles(graph: Graph) -> list[list[str]]:
    """The groups of modules that each reach every other one of their group."""
    reached = {name: _reachable(graph, name) for name in graph}
    groups = {
        tuple(sorted(other for other in beyond if name in reached[other]))
        for name, beyond in reached.items()
        if name in beyond
    }
    return [list(group) for group in sorted(groups)]


def _imports(path: Path, known: set[str]) -> set[str]:
    found = set()
    for node in walk(path.read_text(encoding="utf-8")):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}:{node.lineno}: an import that is relative")
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in known else str(node.module))
    return found & known


def _reachable(graph: Graph, start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - reached
        reached |= new
        waiting.extend(new)
    return reached


def _packages_above(name: str) -> Iterator[str]:
    """`a` and `a.b` for `a.b.c`."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _child(folder: str, name: str) -> str:
    """`a.b` for all below it, as seen from `a`."""
    return f"{folder}.{name.removeprefix(f'{folder}.').partition('.')[0]}"


def _name_of(path: Path, package: Path) -> str:
    parts = (package.name, *path.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
