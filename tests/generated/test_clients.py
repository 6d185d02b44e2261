"""Clients that generators make from /openapi.json, compiled and used against a running service."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service import Service, install
from tests.servers.node import HAS_NPM, MISSING, run

_HERE = Path(__file__).parent

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
    installation = install(tmp_path_factory.mktemp("installation"))
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
    service: Service, service_key: str, documents: dict[str, Path], node_modules: Path
) -> None:
    folder = node_modules.parent
    programs = node_modules / ".bin"
    # JSON is YAML too.
    (folder / "redocly.yaml").write_text(json.dumps({"apis": _types_of(documents)}))
    run(str(programs / "openapi-typescript"), "--redocly", "redocly.yaml", folder=folder)
    shutil.copy(_HERE / "calls.ts", folder)
    # TypeScript's own library is right.
    strict = (
        "--strict",
        "--noUncheckedIndexedAccess",
        "--exactOptionalPropertyTypes",
        "--skipDefaultLibCheck",
    )
    target = ("--target", "es2022", "--module", "nodenext")
    known = ("--lib", "es2022,dom", "--types", "node")
    sources = ("calls.ts", "ragchats.d.ts", "rst.d.ts", "unkey.d.ts")
    run(str(programs / "tsc"), *strict, *target, *known, *sources, folder=folder)
    url = service.gunicorn.url
    told = run("node", "calls.js", url, service_key, "ts@example.com", folder=folder)
    assert json.loads(told) == _TOLD


def _types_of(documents: dict[str, Path]) -> dict[str, dict[str, object]]:
    """Which file has the types of which document."""
    return {
        name: {
            "root": str(document),
            "x-openapi-ts": {"output": f"{'api' if name == 'ragauth' else name}.d.ts"},
        }
        for name, document in documents.items()
    }


# Its program, for one document after another: to load it takes longer than to run it.
_GENERATE = """
import sys
from openapi_python_client.cli import app

for name, document in zip(sys.argv[1::2], sys.argv[2::2]):
    options = ["--meta", "none", "--config", "config.yml", "--output-path", f"{name}_client"]
    app(["generate", "--path", document, *options], standalone_mode=False)
"""


def test_python_compiles_and_makes_the_first_calls(
    service: Service, service_key: str, documents: dict[str, Path], tmp_path: Path
) -> None:
    """A client is as large as the service, not as its errors: one file a route and a shape."""
    (tmp_path / "config.yml").write_text("post_hooks: []\n")
    named = [str(word) for pair in documents.items() for word in pair]
    printed = run(sys.executable, "-c", _GENERATE, *named, folder=tmp_path)
    assert printed.count("Generating ") == len(documents)
    assert "Warning" not in printed
    clients = [f"{name}_client" for name in documents]
    run(sys.executable, "-m", "compileall", "-q", *clients, folder=tmp_path)
    files = list((tmp_path / "ragauth_client").rglob("*.py"))
    assert len(files) < 500
    shutil.copy(_HERE / "calls.py", tmp_path)
    url = service.gunicorn.url
    told = run(sys.executable, "calls.py", url, service_key, "py@example.com", folder=tmp_path)
    assert json.loads(told) == _TOLD
