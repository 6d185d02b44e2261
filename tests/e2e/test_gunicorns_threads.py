"""What must hold at any price holds on gunicorn's own threads too, without ragauth's worker."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.load import ACCEPTED_FIRST, kill_under_load
from tests.e2e.service import Service, at_once

LIMIT = 100
WORKERS = 3
CLIENTS = 40
TRIES_OF_EACH = 5
PLANS = f"""
[plans.trial]
limits.requests.minute = {LIMIT}
limits.requests.month = 99999
max_keys = 5
max_agents = 2
"""


@pytest.fixture(scope="module")
def service(
    new_installation: NewInstallation,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    plans: Path = tmp_path_factory.mktemp("plans") / "policy.toml"
    plans.write_text(PLANS)
    installation = new_installation("postgres")
    with installation.serve(
        workers=WORKERS, RAGAUTH_SERVER="gunicorn", RAGAUTH_POLICY_FILE=str(plans)
    ) as running:
        yield running


def test_a_deleted_key_is_refused_in_every_try_of_every_worker(service: Service) -> None:
    """S20: from the answer to its deletion on, under load."""
    user = service.sign_up()
    key_id, key = user.create_key()

    def delete() -> None:
        assert user.request("DELETE", f"/api/auth/api-keys/{key_id}").status_code == 204

    outcome = kill_under_load(service, key, delete, tries=60)
    assert outcome.statuses == {401}
    assert outcome.accepted_before >= ACCEPTED_FIRST
    assert set(outcome.by_worker) == set(service.gunicorn.worker_pids())


def test_exactly_the_limit_is_let_through(service: Service) -> None:
    """S23: of many clients at once, whichever worker answers them."""
    key = service.sign_up().api_key

    def ask() -> Counter[int]:
        return Counter(service.authorize(key) for _ in range(TRIES_OF_EACH))

    statuses: Counter[int] = sum(at_once([ask] * CLIENTS), Counter())
    assert statuses == {200: LIMIT, 429: CLIENTS * TRIES_OF_EACH - LIMIT}
