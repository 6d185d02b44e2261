"""One API in either mode, each with its dashboard, and one browser for all of them."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ragauth.policy import write_policy
from tests.dashboard.place import Place, Visitor, serve_dashboard
from tests.e2e.service import install
from tests.factories.policies import own_scopes
from tests.servers.chromium import find_chromium
from tests.servers.processes import free_port
from tests.servers.quick_hashes import QUICK_HASHES

CHROMIUM = find_chromium()
# For what does not depend on where the refresh token is.
in_cookie_mode = pytest.mark.parametrize("place", ["cookie"], indirect=True)
# What one page keeps of its session does not depend on the policy: so the place of the other mode
# has an operator's own scopes, and a plan without a limit.
under_own_policy = pytest.mark.parametrize("place", ["token"], indirect=True)
LOGIN_FAILURES = 3
# The default scopes, and beside the requests a meter that the plan of new accounts limits.
POLICY = """
[meters.tokens]
description = "Tokens in and out"
[meters.pages]
description = "Pages read"
[plans.trial]
max_keys = 5
max_agents = 2
limits = { requests = { minute = 60, month = 1_000 }, tokens = { month = 200_000 } }
[plans.scale]
max_keys = 500
max_agents = 1_000
limits = { requests = { minute = 6_000, month = 20_000_000 } }
"""

if CHROMIUM is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Say what was left out. In a run of several processes the first one says it."""
    worker = getattr(config, "workerinput", {"workerid": "gw0"})["workerid"]
    if CHROMIUM is None and worker == "gw0":
        line = "tests/dashboard left out, chromium is missing: apt-get install chromium\n"
        os.write(sys.__stderr__.fileno(), line.encode())


POLICIES = {"cookie": POLICY, "token": write_policy(own_scopes())}


@contextmanager
def _start_place(mode: str, browser: Browser, folder: Path) -> Iterator[Place]:
    # Each has its own database: a service sends whatever mail waits, with links of its own.
    policy_file = folder / "policy.toml"
    policy_file.write_text(POLICIES[mode], "utf-8")
    settings = {"RAGAUTH_POLICY_FILE": str(policy_file), QUICK_HASHES: "yes"}
    installation = install(folder, **settings)
    installation.migrate()
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    static = folder / "static"
    static.mkdir()
    with (
        installation.serve(
            workers=1,
            RAGAUTH_CORS_ORIGINS=origin,
            RAGAUTH_DASHBOARD_URL=origin,
            RAGAUTH_REFRESH_COOKIE=str(mode == "cookie").lower(),
            RAGAUTH_LOGIN_FAILURES_PER_ACCOUNT=str(LOGIN_FAILURES),
        ) as service,
        serve_dashboard(static, port, service.gunicorn.url) as served_at,
        closing(Place(mode, service, served_at, browser)) as place,
    ):
        yield place


@pytest.fixture(scope="session")
def places(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Place]]:
    """The place of a mode, started when it is first asked for."""
    with ExitStack() as running:
        started: dict[str, Place] = {}

        def place_of(mode: str) -> Place:
            if mode not in started:
                folder = tmp_path_factory.mktemp("dashboard")
                started[mode] = running.enter_context(_start_place(mode, browser, folder))
            return started[mode]

        yield place_of


@pytest.fixture(params=["cookie", "token"])
def place(request: pytest.FixtureRequest, places: Callable[[str], Place]) -> Place:
    return places(request.param)


@pytest.fixture
def visitor(place: Place) -> Iterator[Visitor]:
    with place.next_visitor() as someone:
        yield someone


@pytest.fixture
def lone_visitor(place: Place) -> Iterator[Visitor]:
    """Somebody whose browser nobody has used or will use."""
    with place.visitor() as someone:
        yield someone
