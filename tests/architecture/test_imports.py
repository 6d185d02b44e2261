"""What a module imports: never in a circle, and never by way of the file system."""

import ast
from pathlib import Path

import pytest

from ragauth.config.values import COMPAT_FACES
from tests.architecture.imports import Graph, find_circles, folder_graphs, module_graph, walk
from tests.servers.gunicorn import PROJECT_ROOT

SOURCE = PROJECT_ROOT / "ragauth"


@pytest.fixture(scope="module")
def graph() -> Graph:
    """The whole package's."""
    return module_graph(SOURCE)


def test_no_module_imports_itself_by_way_of_others(graph: Graph) -> None:
    assert find_circles(graph) == []


def test_no_folder_imports_itself_by_way_of_its_neighbours(graph: Graph) -> None:
    graphs = folder_graphs(graph)
    assert {folder: find_circles(graph) for folder, graph in graphs.items()} == {
        folder: [] for folder in graphs
    }


def test_no_import_is_excused_for_coming_late() -> None:
    """A circle is not hidden by an import that comes late."""
    late = [path for path in SOURCE.rglob("*.py") if "E402" in path.read_text(encoding="utf-8")]
    assert late == []


@pytest.mark.parametrize(
    ("files", "circle"),
    [
        pytest.param(
            {"a.py": "from house.b import x\n", "b.py": "import house.a\n"},
            ["house.a", "house.b"],
            id="two modules",
        ),
        pytest.param(
            {"a.py": "from house import b\n", "b.py": "def f():\n    from house.a import x\n"},
            ["house.a", "house.b"],
            id="in a function",
        ),
        pytest.param(
            {
                "a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import house.b\n",
                "b.py": "import house.a\n",
            },
            ["house.a", "house.b"],
            id="for the types alone",
        ),
        pytest.param(
            {
                "room/__init__.py": "import house.room.a\n",
                "room/a.py": "from house.room import x\n",
            },
            ["house.room", "house.room.a"],
            id="a package and its module",
        ),
        pytest.param(
            {
                "room/__init__.py": "import house.a\n",
                "room/b.py": "",
                "a.py": "import house.room.b\n",
            },
            ["house.a", "house.room"],
            id="a package that is imported on the way to its module",
        ),
    ],
)
def test_a_planted_circle_is_found(
    tmp_path: Path, files: dict[str, str], circle: list[str]
) -> None:
    assert find_circles(module_graph(_plant(tmp_path, files))) == [circle]


def test_a_planted_circle_of_folders_is_found(tmp_path: Path) -> None:
    files = {
        "room/__init__.py": "",
        "room/a.py": "import house.b\n",
        "room/c.py": "",
        "b.py": "import house.room.c\n",
    }
    graph = module_graph(_plant(tmp_path, files))
    assert find_circles(graph) == []
    assert find_circles(folder_graphs(graph)["house"]) == [["house.b", "house.room"]]


def test_the_faces_that_the_setting_takes_are_the_folders_of_compat() -> None:
    """config/ is below the faces: it has their names, and looks at no folder."""
    folders = {path.parent.name for path in SOURCE.glob("blueprints/compat/*/__init__.py")}
    assert set(COMPAT_FACES) == folders


def test_what_is_read_from_the_runtime_is_a_part_of_it_and_of_its_type() -> None:
    """`current()` and `runtime_of()` have no type: who reads a part names its name and type."""
    parts = _annotated(SOURCE / "runtime.py", "Runtime")
    read = [each for path in SOURCE.rglob("*.py") for each in _parts_read(path)]
    assert {name for name, _ in read} >= {"settings", "limits", "key_checker", "documents"}
    assert [(name, of) for name, of in read if name not in parts] == []
    assert [(name, of) for name, of in read if of and of != parts[name]] == []


def _parts_read(path: Path) -> list[tuple[str, str | None]]:
    """The part that each `x: Type = current().part` reads, and its type where one is named."""
    text = path.read_text(encoding="utf-8")
    if "current(" not in text and "runtime_of(" not in text:
        return []
    nodes = walk(text)
    types = {
        node.value: ast.unparse(node.annotation)
        for node in nodes
        if isinstance(node, ast.AnnAssign) and node.value is not None
    }
    return [
        (node.attr, types.get(node))
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id in {"current", "runtime_of"}
    ]


def _annotated(path: Path, name: str) -> dict[str, str]:
    """The fields of a class, with their types as they are spelt."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        ast.unparse(node.target): ast.unparse(node.annotation)
        for each in tree.body
        if isinstance(each, ast.ClassDef) and each.name == name
        for node in each.body
        if isinstance(node, ast.AnnAssign)
    }


def _plant(folder: Path, files: dict[str, str]) -> Path:
    package = folder / "house"
    for name, text in {"__init__.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return package
