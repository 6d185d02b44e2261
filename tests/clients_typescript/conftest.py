"""One package and one service for all cases, which one node process runs."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.clients_typescript.packages import PACKAGE, pack, sources_of_package, unpack
from tests.docs.markdown import blocks
from tests.e2e.service import Service, install
from tests.examples.stack import EXAMPLES
from tests.servers.caches import made_once
from tests.servers.node import HAS_NPM, MISSING, PINNED, install_packages, run
from tests.servers.quick_hashes import QUICK_HASHES

CASES = Path(__file__).parent / "cases"
_SECONDS = 120
_STRICT = (
    *("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--skipLibCheck"),
    *("--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable"),
    *("--types", "node"),
)
_RUN_CASES = ("node", "--test-reporter=tap", "main.js")
_OUTCOME = re.compile(r"^(not )?ok \d+ - (.*)$", re.MULTILINE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not HAS_NPM:
        for item in items:
            if item.path.parent == Path(__file__).parent:
                item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="session")
def built(node_modules: Path) -> Path:
    """The package and a program that uses it: packed and compiled once for each state of both.

    They find the npm packages where these were when it was made, and are again.
    """
    assert node_modules.is_dir()
    here = Path(__file__)
    sources = [CASES, EXAMPLES / "rag_service_express"]
    files = [path for folder in sources for path in sorted(folder.rglob("*")) if path.is_file()]
    state = [here, here.with_name("packages.py"), *PINNED, *files, *sources_of_package()]
    return made_once("client", [*state, run("node", "--version", folder=CASES)], _build)


def _build(folder: Path) -> None:
    node_modules = install_packages(folder)
    program = folder / "program"
    shutil.copytree(CASES, program)
    unpack(pack(folder), program)
    examples = [block.text for block in blocks(PACKAGE / "README.md") if block.info == "ts"]
    for number, text in enumerate(examples, 1):
        ported = text.replace("3000", "Number(process.env.PORT)")
        (program / f"readme{number}.ts").write_text(ported, encoding="utf-8")
    shutil.copytree(EXAMPLES / "rag_service_express", program / "rag_service_express")
    sources = sorted(str(path.name) for path in program.glob("*.ts"))
    run(str(node_modules / ".bin" / "tsc"), *_STRICT, *sources, folder=program)


@pytest.fixture(scope="session")
def tarball(built: Path) -> Path:
    """The package as it would be published."""
    (found,) = (built / "package").glob("*.tgz")
    return found


@pytest.fixture(scope="session")
def project(built: Path) -> Path:
    """A program of a customer that has the package, the cases, and the README's examples."""
    return built / "program"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A ragauth that sells tokens, and sends webhooks to this machine."""
    settings = {
        "RAGAUTH_POLICY_FILE": str(EXAMPLES / "policy.toml"),
        "RAGAUTH_WEBHOOK_PRIVATE_NETWORKS": "true",
        QUICK_HASHES: "yes",
    }
    installation = install(tmp_path_factory.mktemp("installation"), **settings)
    installation.migrate()
    with installation.serve(workers=1) as running:
        yield running


@pytest.fixture(scope="session")
def environment(service: Service) -> Mapping[str, str]:
    """What the programs are told: where ragauth is, and a service key with all scopes."""
    names = ("verify", "accounts", "keys", "webhooks")
    scopes = [word for name in names for word in ("--scope", name)]
    made = service.installation.command("service-keys", "create", "--name", "ts", *scopes, "--json")
    return {
        "RAGAUTH_URL": service.gunicorn.url,
        "RAGAUTH_SERVICE_KEY": json.loads(made)["api_key"],
    }


@pytest.fixture(scope="session")
def outcomes(project: Path, environment: Mapping[str, str]) -> Mapping[str, str]:
    """What each case says; nothing, where it has passed."""
    done = subprocess.run(
        _RUN_CASES,
        cwd=project,
        env={"PATH": os.environ.get("PATH", os.defpath), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    found = list(_OUTCOME.finditer(done.stdout))
    ends = [*(outcome.start() for outcome in found[1:]), len(done.stdout)]
    told = {
        outcome[2]: done.stdout[outcome.start() : end] if outcome[1] else ""
        for outcome, end in zip(found, ends, strict=True)
    }
    return told or {"": done.stdout + done.stderr}
