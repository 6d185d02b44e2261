"""examples/gateways/nginx.conf in a real nginx, as examples/gateways/nginx.sh starts it."""

from functools import partial
from pathlib import Path

import pytest

from tests.examples.gateway_cases import ClientAddressCases, GatewayCases
from tests.examples.stack import GATEWAYS, GatewayStarter, start_gateway

_SCRIPT = GATEWAYS / "nginx.sh"


def _command(folder: Path) -> list[str]:
    return ["/bin/bash", str(_SCRIPT), str(folder / "nginx.conf")]


def _environment(folder: Path) -> dict[str, str]:
    return {"NGINX_FOLDER": str(folder / "running")}


@pytest.fixture(scope="module")
def start() -> GatewayStarter:
    return partial(start_gateway, "nginx.conf", _command, environment=_environment)


class TestNginx(ClientAddressCases, GatewayCases):
    pass
