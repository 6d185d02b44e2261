"""examples/gateways/envoy.yaml in a real Envoy.

Envoy tells ragauth its own address for any client on the loopback, so that the cases on the
client's address cannot be tried here.
"""

from functools import partial
from pathlib import Path

import pytest

from tests.examples.gateway_cases import GatewayCases
from tests.examples.programs import find_program
from tests.examples.stack import GatewayStarter, start_gateway


def _command(folder: Path) -> list[str]:
    return [
        *(find_program("envoy") or "envoy", "-c", str(folder / "envoy.yaml")),
        *("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"),
    ]


@pytest.fixture(scope="module")
def start() -> GatewayStarter:
    return partial(start_gateway, "envoy.yaml", _command)


class TestEnvoy(GatewayCases):
    pass
