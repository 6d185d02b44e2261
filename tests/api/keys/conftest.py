"""Two ways in: an account's owner manages its keys, or a service of the operator's does.

A test that is marked `both_ways` runs with each. Its paths are the dashboard's; the operator's way
asks the route below `/api/v1/internal` that does the same, with a service key.
"""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.api.keys.on_behalf import OperatorsClient
from tests.clients import Client


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("both_ways"):
        metafunc.parametrize("way", ["owner", "operator"], indirect=True)


@pytest.fixture
def way(request: pytest.FixtureRequest) -> str:
    """Who manages the keys of those who sign up."""
    name: str = getattr(request, "param", "owner")
    return name


@pytest.fixture
def client_of(way: str) -> Callable[[Flask], Client]:
    """Makes a client for a further application."""
    return OperatorsClient if way == "operator" else Client


@pytest.fixture
def client(app: Flask, client_of: Callable[[Flask], Client]) -> Client:
    return client_of(app)
