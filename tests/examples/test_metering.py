"""examples/metering.sh against a real service that sells tokens, and the sample API."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.service import Installation
from tests.examples.stack import make_service_key, start_rag_service
from tests.examples.walks import assert_went_to_its_end, run_walk
from tests.servers.commands import forking_python
from tests.servers.gunicorn import GunicornServer


@pytest.fixture(scope="module")
def environment(
    vendor: Installation, vendors_ragauth: GunicornServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """What the walk reads, with a sample API that runs."""
    own = {"RAGAUTH_URL": vendors_ragauth.url, "RAGAUTH_SERVICE_KEY": make_service_key(vendor)}
    folder = tmp_path_factory.mktemp("python")
    with start_rag_service(own) as service, forking_python(folder) as python:
        yield {
            **vendor.environment,
            "RAGAUTH_URL": vendors_ragauth.url,
            "SERVICE_URL": service.url,
            "PYTHON": str(python),
        }


def test_a_vendor_sells_tokens_from_the_policy_file_to_the_bill(
    environment: dict[str, str],
) -> None:
    assert_went_to_its_end(run_walk("metering", **environment), "metering")


def test_a_walk_that_stops_leaves_no_service_key_behind(
    environment: dict[str, str], vendor: Installation
) -> None:
    # It made one already when it asks for the first time.
    walk = run_walk("metering", **environment | {"RAGAUTH_URL": f"{environment['RAGAUTH_URL']}/x"})
    assert walk.returncode == 1
    assert "POST /api/auth/signup answered 404, expected 201" in walk.stderr
    assert "flask --app wsgi service-keys revoke" in walk.stdout
    keys = json.loads(vendor.command("service-keys", "list", "--json"))
    assert [key["name"] for key in keys if key["name"] == "metering"] == []
