"""The package: what it needs, what it holds, and that its README is true."""

import ast
import json
import os
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from django.urls import path
from ragauth_client import VERSION, AsyncClient, Client

from tests.cases import for_each
from tests.clients_python.apps import django_app
from tests.clients_python.conftest import Vendor
from tests.clients_python.stacks import run_asgi, run_wsgi
from tests.clients_python.used import used_tokens
from tests.docs.markdown import ROOT, blocks
from tests.e2e.service import User
from tests.servers.gunicorn import NO_TLS

CLIENT = ROOT / "clients" / "python"
MODULES = CLIENT / "ragauth_client"
# What an integration may import beside what all of the client does.
_FRAMEWORKS = {
    "flask": {"flask"},
    "fastapi": {"starlette"},
    "django": {"django", "asgiref"},
}
_BUILD = "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])"


def _imported(module: Path) -> set[str]:
    """The packages outside the standard library that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)


class TestImports:
    @for_each("module", sorted(MODULES.glob("*.py")))
    def test_a_framework_is_known_to_its_own_integration_alone(self, module: Path) -> None:
        allowed = {"ragauth_client", "httpx"} | _FRAMEWORKS.get(module.stem, set())
        assert _imported(module) <= allowed

    def test_the_client_itself_loads_no_integration(self) -> None:
        program = "import sys, ragauth_client; print(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": str(CLIENT)},
            check=True,
            capture_output=True,
            text=True,
        )
        loaded = set(done.stdout.split())
        assert not loaded & {f"ragauth_client.{name}" for name in (*_FRAMEWORKS, "asgi")}
        assert not loaded & {"flask", "fastapi", "starlette", "django", "ragauth"}


def test_the_wheel_has_all_of_it_and_needs_httpx_alone(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    (sources / "ragauth_client").mkdir(parents=True)
    files = {path.name for path in MODULES.iterdir() if path.is_file()}
    for name in files:
        (sources / "ragauth_client" / name).write_bytes((MODULES / name).read_bytes())
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (sources / name).write_bytes((CLIENT / name).read_bytes())
    build = [sys.executable, "-c", _BUILD, str(tmp_path)]
    subprocess.run(build, cwd=sources, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        about = f"ragauth_client-{VERSION}.dist-info"
        metadata = archive.read(f"{about}/METADATA").decode()
    assert {name for name in names if not name.startswith(about)} == {
        f"ragauth_client/{name}" for name in files
    }
    assert f"{about}/licenses/LICENSE" in names
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    assert needed == ["Requires-Dist: httpx<1,>=0.27"]
    assert "ragauth_client/py.typed" in names


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (CLIENT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog.split("\n## ")[1].split()[0] == VERSION
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "ragauth-client"


class TestReadme:
    """Each block of code is run as it stands, at a running ragauth."""

    @pytest.fixture
    def names(self, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
        monkeypatch.setenv("RAGAUTH_SERVICE_KEY", vendor.service_key)
        names: dict[str, Any] = {"__name__": "api", "os": os, "service_key": vendor.service_key}
        yield names
        client = names.get("ragauth")
        if isinstance(client, Client):
            client.close()

    def run(self, name: str, names: dict[str, Any], vendor: Vendor) -> None:
        (text,) = [one.text for one in blocks(CLIENT / "README.md") if one.info == f"python {name}"]
        exec(text.replace("http://127.0.0.1:8000", vendor.url), names)

    @pytest.mark.parametrize("framework", ["fastapi", "flask", "starlette"])
    def test_it_protects_a_route(
        self, framework: str, names: dict[str, Any], vendor: Vendor, customer: User
    ) -> None:
        self.run(framework, names, vendor)
        client = names["ragauth"]
        server = (
            run_asgi(names["app"], client)
            if isinstance(client, AsyncClient)
            else run_wsgi(names["app"])
        )
        with server as url:
            self.ask(url, customer)

    def test_it_protects_a_view_of_django(
        self, names: dict[str, Any], vendor: Vendor, customer: User
    ) -> None:
        self.run("django-settings", names, vendor)
        self.run("django-views", names, vendor)
        urls = type("urls", (), {"urlpatterns": [path("documents", names["ingest"])]})
        settings = {name: names[name] for name in ("MIDDLEWARE", "RAGAUTH")}
        with (
            override_settings(ROOT_URLCONF=urls, **settings),
            django_app.client(),
            run_wsgi(WSGIHandler()) as url,
        ):
            self.ask(url, customer)

    def ask(self, url: str, customer: User) -> None:
        headers: Mapping[str, str] = {"X-API-Key": customer.api_key}
        with httpx.Client(base_url=url, verify=NO_TLS) as client:
            served = client.post("/documents", headers=headers)
            assert served.json() == {"account": customer.account_id}
            refused = client.post("/documents")
        assert refused.status_code == 401
        assert refused.json()["error"]["details"] == {"reason": "missing"}

    def test_it_reserves_and_settles(
        self, names: dict[str, Any], vendor: Vendor, customer: User
    ) -> None:
        names["ragauth"] = Client(vendor.url, vendor.service_key)
        names |= {"key": customer.api_key, "generate": str.split, "question": "one two three"}
        self.run("reserve", names, vendor)
        assert used_tokens(customer) == 3

    def test_it_makes_accounts_and_keys(
        self, names: dict[str, Any], vendor: Vendor, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.run("behalf", names, vendor)
        assert capsys.readouterr().out.startswith("rag_live_")

    def test_a_protected_route_takes_about_ten_lines(self) -> None:
        counted = {
            one.info: len([line for line in textwrap.dedent(one.text).splitlines() if line])
            for one in blocks(CLIENT / "README.md")
            if one.info in ("python fastapi", "python flask", "python starlette")
        }
        assert max(counted.values()) <= 11, json.dumps(counted)
