"""Clients that generators make from /openapi.json, compiled and used against a running service."""

import json
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.e2e.service import QUICK, Service, install
from tests.servers.caches import made_once
from tests.servers.node import HAS_NPM, MISSING, PINNED, install_packages, run

_HERE = Path(__file__).parent
# What the client in Python is made by.
_GENERATORS = ("openapi-python-client", "pydantic", "jinja2")

_TOLD = [
    ["signUp", 201, True],
    ["logIn", 200, "Bearer"],
    ["showMe", 200, "trial"],
    ["createKey", 201, "secret"],
    ["listKeys", 200, 2],
    ["authorize", 200, True],
    ["verifyKey", 200, True],
    ["revokeKey", 204, None],
    ["listMyUsage", 200, True],
    ["showKeyHolder", 401, "revoked"],
    ["createKey", 400, "name"],
    ["logOut", 204, None],
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    installation = install(tmp_path_factory.mktemp("installation"), **QUICK)
    installation.migrate()
    with installation.serve(workers=1, RAGAUTH_COMPAT="ragchats,rst,unkey") as running:
        yield running


@pytest.fixture(scope="module")
def service_key(service: Service) -> str:
    options = ("--name", "clients", "--scope", "verify", "--json")
    made: dict[str, str] = json.loads(
        service.installation.command("service-keys", "create", *options)
    )
    return made["api_key"]


@pytest.fixture(scope="module")
def documents(service: Service, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The service's documents as files: its own and the faces'."""
    folder = tmp_path_factory.mktemp("documents")
    files = {}
    for name, url in (
        ("ragauth", "/openapi.json"),
        ("ragchats", "/compat/ragchats/openapi.json"),
        ("rst", "/compat/rst/openapi.json"),
        ("unkey", "/compat/unkey/openapi.json"),
    ):
        files[name] = folder / f"{name}.json"
        files[name].write_bytes(service.client.get(url).content)
    return files


@pytest.mark.skipif(not HAS_NPM, reason=MISSING)
def test_typescript_compiles_and_makes_the_first_calls(
    service: Service, service_key: str, documents: dict[str, Path]
) -> None:
    """The client is made and compiled once for each state of what it is made of."""

    def make(folder: Path) -> None:
        programs = install_packages(folder) / ".bin"
        for document in documents.values():
            shutil.copy(document, folder)
        # JSON is YAML too.
        (folder / "redocly.yaml").write_text(json.dumps({"apis": _types_of(documents)}))
        run(str(programs / "openapi-typescript"), "--redocly", "redocly.yaml", folder=folder)
        shutil.copy(_HERE / "calls.ts", folder)
        run(str(programs / "tsc"), *_STRICT, *_SOURCES, folder=folder)

    node = run("node", "--version", folder=_HERE)
    state = [Path(__file__), _HERE / "calls.ts", *PINNED, *_texts_of(documents), node]
    folder = made_once("generated-ts", state, make)
    url = service.gunicorn.url
    told = run("node", "calls.js", url, service_key, "ts@example.com", folder=folder)
    assert json.loads(told) == _TOLD


# TypeScript's own library is right.
_STRICT = (
    *("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"),
    *("--skipDefaultLibCheck", "--target", "es2022", "--module", "nodenext"),
    *("--lib", "es2022,dom", "--types", "node"),
)
_SOURCES = ("calls.ts", "ragchats.d.ts", "rst.d.ts", "unkey.d.ts")


def _types_of(documents: dict[str, Path]) -> dict[str, dict[str, object]]:
    """Which file has the types of which document."""
    return {
        name: {
            "root": document.name,
            "x-openapi-ts": {"output": f"{'api' if name == 'ragauth' else name}.d.ts"},
        }
        for name, document in documents.items()
    }


def _texts_of(documents: dict[str, Path]) -> list[str]:
    return [document.read_text(encoding="utf-8") for document in documents.values()]


# Its program, for one document after another: to load it takes longer than to run it.
_GENERATE = """
import sys
from openapi_python_client.cli import app

for name, document in zip(sys.argv[1::2], sys.argv[2::2]):
    options = ["--meta", "none", "--config", "config.yml", "--output-path", f"{name}_client"]
    app(["generate", "--path", document, *options], standalone_mode=False)
"""


def test_python_compiles_and_makes_the_first_calls(
    service: Service, service_key: str, documents: dict[str, Path]
) -> None:
    """A client is as large as the service, not as its errors: one file a route and a shape.

    It is made and compiled once for each state of what it is made of.
    """

    def make(folder: Path) -> None:
        (folder / "config.yml").write_text("post_hooks: []\n")
        named = [str(word) for pair in documents.items() for word in pair]
        printed = run(sys.executable, "-c", _GENERATE, *named, folder=folder)
        assert printed.count("Generating ") == len(documents)
        assert "Warning" not in printed
        clients = [f"{name}_client" for name in documents]
        run(sys.executable, "-m", "compileall", "-q", *clients, folder=folder)
        shutil.copy(_HERE / "calls.py", folder)

    programs = (sys.version, *(f"{name} {version(name)}" for name in _GENERATORS))
    state = [Path(__file__), _HERE / "calls.py", *_texts_of(documents), *programs]
    folder = made_once("generated-python", state, make)
    files = list((folder / "ragauth_client").rglob("*.py"))
    assert len(files) < 500
    url = service.gunicorn.url
    told = run(sys.executable, "calls.py", url, service_key, "py@example.com", folder=folder)
    assert json.loads(told) == _TOLD
