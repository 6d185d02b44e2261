"""What kubectl makes of examples/kubernetes."""

import base64
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.servers.gunicorn import PROJECT_ROOT

Document = dict[str, Any]
FOLDER = PROJECT_ROOT / "examples" / "kubernetes"
_SECONDS = 60
# Of 32 bytes and more, as every secret must be.
TOKEN = "a-token-of-the-tests-long-enough-for-every-use"


class Manifests:
    """What one folder renders to."""

    def __init__(self, folder: Path) -> None:
        kubectl = Path(sys.executable).with_name("kubectl")
        done = subprocess.run(
            [kubectl, "kustomize", folder],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        # It warns of what will not work in its next version.
        assert (done.returncode, done.stderr) == (0, "")
        self.documents: list[Document] = list(yaml.safe_load_all(done.stdout))
        for document in self.documents:
            if document["kind"] == "Secret":
                # Long ones are broken into lines, which a cluster joins.
                data = document["data"]
                document["data"] = {name: "".join(data[name].split()) for name in data}

    def one(self, kind: str) -> Document:
        (found,) = (document for document in self.documents if document["kind"] == kind)
        return found

    def pods(self) -> Iterator[tuple[str, Document]]:
        """Each template of pods, with the kind that has it."""
        for document in self.documents:
            spec = document.get("spec", {})
            if document["kind"] == "CronJob":
                spec = spec["jobTemplate"]["spec"]
            if "template" in spec:
                yield document["kind"], spec["template"]

    def environment(self) -> dict[str, str]:
        """The variables of each container: all take them whole from two places."""
        secret = self.one("Secret")["data"]
        opened = {name: base64.b64decode(value).decode() for name, value in secret.items()}
        return {**self.one("ConfigMap")["data"], **opened}


def render(folder: Path) -> Manifests:
    """The folder `production`, with the file of secrets that an operator writes."""
    shutil.copytree(FOLDER, folder)
    example = (folder / "production" / "secret.env.example").read_text(encoding="utf-8")
    secrets = "".join(
        f"{line}{TOKEN}\n" if line.endswith("=") else f"{line}\n" for line in example.splitlines()
    )
    (folder / "production" / "secret.env").write_text(secrets, encoding="utf-8")
    return Manifests(folder / "production")


def container_of(pod: Document) -> Document:
    container: Document
    (container,) = pod["spec"]["containers"]
    return container
