"""examples/kubernetes: what kubectl renders is held against the schemas of the API, and is run."""

import copy
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from ragauth import gunicorn_conf
from ragauth.config import read_settings
from ragauth.version import VERSION
from tests.docs.settings import read_by_config
from tests.examples.kubernetes import FOLDER, TOKEN, Document, Manifests, container_of, render
from tests.servers.caches import made_once
from tests.servers.gunicorn import NO_TLS, PROJECT_ROOT, GunicornServer
from tests.servers.node import HAS_NPM, MISSING, PINNED, install_packages, run
from tests.servers.postgres import PostgresServer
from tests.servers.processes import ServerProcess, free_port
from tests.servers.quick_hashes import QUICK_HASHES
from tests.servers.redis import start_redis
from tests.waiting import wait_until

_SECONDS = 60
_SELECTING = ("Deployment", "Service", "PodDisruptionBudget", "ServiceMonitor")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    return render(tmp_path_factory.mktemp("kubernetes") / "copy")


def test_the_base_renders_without_any_secret() -> None:
    kinds = {document["kind"] for document in Manifests(FOLDER / "base").documents}
    assert {"Deployment", "Job", "CronJob", "HorizontalPodAutoscaler"} <= kinds
    assert "Secret" not in kinds


class TestSchemas:
    @pytest.mark.skipif(not HAS_NPM, reason=MISSING)
    def test_the_api_knows_every_field_and_takes_every_value(
        self, production: Manifests, node_modules: Path
    ) -> None:
        """The types refuse a field that is not there, the schemas a value that may not be."""
        folder = node_modules.parent
        program = [_typed(number, each) for number, each in enumerate(production.documents)]
        # Were one of these taken, the compiler would complain of an error that it expected.
        program += [
            f"// @ts-expect-error\n{_typed(number, faulty)}"
            for number, faulty in enumerate(_with_an_unknown_field(production), 100)
        ]
        _compile("\n".join(program))
        soon = copy.deepcopy(production.one("ServiceMonitor"))
        soon["spec"]["endpoints"][0]["interval"] = "soon"
        many = copy.deepcopy(production.one("Deployment"))
        many["spec"]["replicas"] = "many"
        (folder / "validate.mjs").write_text(_VALIDATE, encoding="utf-8")
        (folder / "good.json").write_text(json.dumps(production.documents))
        (folder / "bad.json").write_text(json.dumps([soon, many]))
        faults = json.loads(run("node", "validate.mjs", "good.json", "bad.json", folder=folder))
        assert [len(each) for each in faults] == [0] * len(production.documents) + [1, 1], faults


def _compile(program: str) -> None:
    """Insist that a program in TypeScript is right, once for each state of it."""

    def compile_in(folder: Path) -> None:
        tsc = install_packages(folder) / ".bin" / "tsc"
        (folder / "manifests.ts").write_text(program, encoding="utf-8")
        options = ("--strict", "--noEmit", "--skipLibCheck", "--target", "es2022")
        run(str(tsc), *options, "--module", "nodenext", "manifests.ts", folder=folder)

    made_once("manifests", [Path(__file__), *PINNED, program], compile_in)


def _module_of(document: Document) -> str:
    is_operators = document["apiVersion"].startswith("monitoring.coreos.com/")
    package = "@kubernetes-models/prometheus-operator" if is_operators else "kubernetes-models"
    return f"{package}/{document['apiVersion']}/{document['kind']}"


def _typed(number: int, document: Document) -> str:
    """A constant of the document's type, on one line."""
    interface = f'import("{_module_of(document)}").I{document["kind"]}'
    return f"export const d{number}: {interface} = {json.dumps(document)};"


def _with_an_unknown_field(manifests: Manifests) -> Iterator[Document]:
    for kind, place in (
        ("Deployment", ("spec", "template", "spec", "containers", 0, "securityContext")),
        ("ServiceMonitor", ("spec", "endpoints", 0, "authorization", "credentials")),
        ("HorizontalPodAutoscaler", ("spec", "metrics", 0)),
        ("NetworkPolicy", ("spec", "ingress", 0)),
    ):
        document = copy.deepcopy(manifests.one(kind))
        found: Any = document
        for step in place:
            found = found[step]
        found["nowhere"] = True
        yield document


_VALIDATE = """
import { readFileSync } from "node:fs";
const faults = [];
for (const file of process.argv.slice(2)) {
  for (const document of JSON.parse(readFileSync(file))) {
    const { apiVersion, kind } = document;
    const isOperators = apiVersion.startsWith("monitoring.coreos.com/");
    const name = isOperators ? "@kubernetes-models/prometheus-operator" : "kubernetes-models";
    const { [kind]: Model } = await import(`${name}/${apiVersion}/${kind}`);
    try {
      new Model(document).validate();
      faults.push([]);
    } catch (error) {
      faults.push([error.message]);
    }
  }
}
console.log(JSON.stringify(faults));
"""


class TestSettings:
    def test_the_service_takes_them(
        self, production: Manifests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        environment = production.environment()
        assert set(environment) <= read_by_config()
        folder = str(tmp_path / "instance")
        for name, value in {**environment, "RAGAUTH_INSTANCE_DIR": folder}.items():
            monkeypatch.setenv(name, value)
        settings = read_settings()
        assert settings.redis_url == environment["RAGAUTH_REDIS_URL"]
        assert (settings.trusted_proxies, settings.require_https) == (1, True)

    def test_no_secret_is_in_the_repository(self) -> None:
        example = (FOLDER / "production" / "secret.env.example").read_text(encoding="utf-8")
        values = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))
        assert {value for name, value in values.items() if not name.endswith("_URL")} == {""}
        assert "secret.env" in (FOLDER / "production" / ".gitignore").read_text().split()

    def test_the_image_is_this_version(self, production: Manifests) -> None:
        images = {container_of(pod)["image"].rpartition(":") for _, pod in production.pods()}
        assert {(name, tag) for name, _, tag in images} == {
            ("registry.example.com/ragauth", VERSION)
        }


class TestPods:
    def test_each_is_shut_in(self, production: Manifests) -> None:
        """As the standard `restricted` of Pod Security demands, and nothing can be written."""
        pods = dict(production.pods())
        assert set(pods) == {"Deployment", "Job", "CronJob"}
        for kind, pod in pods.items():
            outer, inner = pod["spec"]["securityContext"], container_of(pod)["securityContext"]
            assert outer["runAsNonRoot"], kind
            assert outer["seccompProfile"] == {"type": "RuntimeDefault"}, kind
            assert inner == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, kind
            assert pod["spec"]["automountServiceAccountToken"] is False, kind
            assert "memory" in container_of(pod)["resources"]["limits"], kind

    def test_each_has_the_user_and_the_folder_of_the_image(self, production: Manifests) -> None:
        dockerfile = (PROJECT_ROOT / "Dockerfile").read_text(encoding="utf-8")
        environment = production.environment()
        for name in ("RAGAUTH_INSTANCE_DIR", "HOST", "PORT"):
            assert f"{name}={environment[name]}" in dockerfile
        for kind, pod in production.pods():
            context = pod["spec"]["securityContext"]
            assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in dockerfile, kind
            writable = {mount["mountPath"] for mount in container_of(pod)["volumeMounts"]}
            assert {environment["RAGAUTH_INSTANCE_DIR"], "/tmp"} <= writable, kind

    def test_the_servers_are_selected_and_no_job_is(self, production: Manifests) -> None:
        labels = {kind: pod["metadata"]["labels"] for kind, pod in production.pods()}
        labels["Service"] = production.one("Service")["metadata"]["labels"]
        for kind in _SELECTING:
            selector = production.one(kind)["spec"]["selector"]
            wanted = selector.get("matchLabels", selector).items()
            matched = {name for name, has in labels.items() if wanted <= has.items()}
            assert matched == {"Deployment", "Service"}, kind

    def test_there_is_time_to_end(self, production: Manifests) -> None:
        spec = production.one("Deployment")["spec"]["template"]["spec"]
        _, waits = container_of({"spec": spec})["lifecycle"]["preStop"]["exec"]["command"]
        needed = int(waits) + gunicorn_conf.graceful_timeout + gunicorn_conf.keepalive
        assert spec["terminationGracePeriodSeconds"] >= needed + 5

    def test_prometheus_has_the_token_of_the_same_secret(self, production: Manifests) -> None:
        (endpoint,) = production.one("ServiceMonitor")["spec"]["endpoints"]
        credentials = endpoint["authorization"]["credentials"]
        assert credentials["name"] == production.one("Secret")["metadata"]["name"]
        assert credentials["key"] in production.one("Secret")["data"]


class Cluster:
    """What Kubernetes does with the pods, done here: their commands, settings and probes."""

    def __init__(self, manifests: Manifests, folder: Path, **here: str) -> None:
        self._folder = folder
        self._pods = dict(manifests.pods())
        self.port = free_port()
        self._environment = {
            **manifests.environment(),
            **here,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "PATH": os.environ.get("PATH", os.defpath),
            QUICK_HASHES: "yes",
        }

    def _settings_of(self, kind: str) -> Mapping[str, str]:
        """Each pod has an empty folder of its own, which is there before it starts."""
        folder = self._folder / kind
        folder.mkdir()
        return {**self._environment, "RAGAUTH_INSTANCE_DIR": str(folder)}

    def run(self, kind: str) -> tuple[int | None, str]:
        """Run a job to its end; returns its exit code and what it printed."""
        process = self._start(kind, container_of(self._pods[kind])["args"])
        wait_until(lambda: process.exit_code() is not None)
        process.stop(signal.SIGTERM, _SECONDS)
        return process.exit_code(), process.log()

    def serve(self) -> ServerProcess:
        """Start the server by the image's own command."""
        dockerfile = (PROJECT_ROOT / "Dockerfile").read_text(encoding="utf-8")
        (command,) = re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
        return self._start("Deployment", json.loads(command))

    def _start(self, kind: str, command: Sequence[str]) -> ServerProcess:
        log = self._folder / f"{kind}-log"
        log.mkdir()
        return ServerProcess(
            [sys.executable, "-m", *command],
            folder=log,
            environment=self._settings_of(kind),
            cwd=PROJECT_ROOT,
            last_signal=signal.SIGTERM,
        )

    def probe(self, name: str) -> int:
        """Ask as the kubelet does: over plain HTTP, past every proxy."""
        place = container_of(self._pods["Deployment"])[name]["httpGet"]
        assert place["port"] == "http"
        return self.ask(place["path"])

    def ask(self, path: str, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.get(url, headers=named, timeout=_SECONDS, verify=NO_TLS).status_code


def test_the_pods_run_and_are_ready_when_the_job_has_migrated(
    production: Manifests, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """No order matters: a new pod serves, but does not count as started before the job is done."""
    with ExitStack() as stack:
        postgres_server.create_database("kubernetes")
        stack.callback(postgres_server.drop_database, "kubernetes")
        redis = stack.enter_context(start_redis())
        cluster = Cluster(
            production,
            tmp_path,
            RAGAUTH_DATABASE_URL=postgres_server.url("kubernetes"),
            RAGAUTH_REDIS_URL=redis.url,
        )
        process = cluster.serve()
        stack.callback(process.stop, signal.SIGTERM, 45)
        GunicornServer(process, cluster.port).wait_until_ready(2)
        assert cluster.probe("startupProbe") == 503
        assert cluster.probe("livenessProbe") == cluster.probe("readinessProbe") == 200

        for kind in ("Job", "CronJob"):
            code, printed = cluster.run(kind)
            assert code == 0, (kind, printed)
        wait_until(lambda: cluster.probe("startupProbe") == 200)

        (endpoint,) = production.one("ServiceMonitor")["spec"]["endpoints"]
        assert cluster.ask(endpoint["path"]) == 401
        assert cluster.ask(endpoint["path"], Authorization=f"Bearer {TOKEN}") == 200
        # From the ingress over HTTPS, or not.
        assert cluster.ask("/api/v1/authorize", X_Forwarded_Proto="https") == 401
        assert cluster.ask("/api/v1/authorize") == 403

        redis.stop()
        wait_until(lambda: cluster.probe("startupProbe") == 503)
        assert cluster.probe("livenessProbe") == cluster.probe("readinessProbe") == 200
        assert process.stop(signal.SIGTERM, 45) == 0
