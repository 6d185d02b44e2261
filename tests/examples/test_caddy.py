"""examples/gateways/Caddyfile in a real Caddy."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.examples.gateway_cases import ClientAddressCases, GatewayCases
from tests.examples.programs import find_program
from tests.examples.stack import GatewayStarter, start_gateway


def _command(folder: Path) -> list[str]:
    caddy = find_program("caddy") or "caddy"
    return [caddy, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def _environment(folder: Path) -> Mapping[str, str]:
    """Everything that it would keep in the home directory stays in the folder."""
    return {"XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}


@pytest.fixture(scope="module")
def start() -> GatewayStarter:
    return partial(start_gateway, "Caddyfile", _command, environment=_environment)


class TestCaddy(ClientAddressCases, GatewayCases):
    pass
