"""examples/gateways/nginx.conf in a real nginx."""

import os
from functools import partial
from pathlib import Path

import pytest

from tests.examples.gateway_cases import ClientAddressCases, GatewayCases
from tests.examples.programs import find_program
from tests.examples.stack import GatewayStarter, start_gateway


def _command(folder: Path) -> list[str]:
    # As root, nginx would hand its workers to an account that cannot write here.
    user = " user root;" if os.geteuid() == 0 else ""
    return [
        *(find_program("nginx") or "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")),
        *("-e", "stderr", "-g", f"daemon off; pid {folder}/pid;{user}"),
    ]


def _within_its_folder(text: str) -> str:
    """Keep what Debian's nginx would write to /var in the folder."""
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"    {name}_temp_path {name};\n" for name in names)
    return text.replace("http {\n", f"http {{\n    access_log off;\n{paths}", 1)


@pytest.fixture(scope="module")
def start() -> GatewayStarter:
    return partial(start_gateway, "nginx.conf", _command, adapt=_within_its_folder)


class TestNginx(ClientAddressCases, GatewayCases):
    pass
