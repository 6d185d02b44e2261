"""The version before and this one serve side by side on one database and one set of counters.

The version before is kept beside this file, as `git archive COMMIT ragauth wsgi.py | xz` writes it.
Of each release the next one keeps what it was.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.archives import unpack_tar
from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service, at_once, while_redis_answers
from tests.e2e.test_exact_limits import PLANS, month_used
from tests.servers.gunicorn import start_gunicorn
from tests.servers.redis import start_redis
from tests.waiting import wait_until

_BEFORE = Path(__file__).parent / "data" / "version-before.tar.xz"
_LIMIT = 300
_THREADS, _TRIES = 20, 20
_PLANS_BEFORE = f"""
[trial]
requests_per_minute = {_LIMIT}
requests_per_month = 1_000_000_000
max_keys = 5
max_agents = 2
"""


@pytest.fixture(scope="module")
def program_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the version before."""
    folder = tmp_path_factory.mktemp("before")
    unpack_tar(_BEFORE, folder)
    return folder


@pytest.fixture(params=["sqlite and lmdb", "postgres and redis"])
def both(
    request: pytest.FixtureRequest,
    empty_installation: NewInstallation,
    program_before: Path,
    tmp_path: Path,
) -> Iterator[tuple[Service, Service]]:
    """The version before, which has made the database, and this one, which has migrated it."""
    database, _, counters = request.param.split()
    installation = empty_installation(database)
    installation.migrate_as(program_before)
    plans, policy = tmp_path / "plans.toml", tmp_path / "policy.toml"
    plans.write_text(_PLANS_BEFORE)
    policy.write_text(PLANS.format(minute=_LIMIT, month=10**9))
    environment = dict(installation.environment)
    with ExitStack() as stack:
        if counters == "redis":
            environment["RAGAUTH_REDIS_URL"] = stack.enter_context(start_redis()).url
        before = stack.enter_context(
            start_gunicorn({**environment, "RAGAUTH_PLANS_FILE": str(plans)}, cwd=program_before)
        )
        environment["RAGAUTH_POLICY_FILE"] = str(policy)
        old = stack.enter_context(installation.client_of(before))
        installation.migrate()
        yield old, stack.enter_context(installation.serve(**_with(environment)))


def _with(environment: dict[str, str]) -> dict[str, Any]:
    return {name: value for name, value in environment.items() if name.startswith("RAGAUTH_")}


def test_two_versions_count_as_one_and_know_the_same_keys_and_sessions(
    both: tuple[Service, Service],
) -> None:
    old, new = both

    def count_as_one() -> None:
        user = old.sign_up()

        def ask(service: Service) -> Counter[int]:
            return Counter(service.authorize(user.api_key) for _ in range(_TRIES))

        calls = [lambda service=both[number % 2]: ask(service) for number in range(_THREADS)]
        statuses: Counter[int] = sum(at_once(calls), Counter())
        assert statuses == {200: _LIMIT, 429: _THREADS * _TRIES - _LIMIT}
        assert month_used(user) == _LIMIT
        # The database is told the same, by whichever version has its turn.
        usage = "/api/auth/usage"
        wait_until(lambda: [row["requests"] for row in user.data("GET", usage)] == [_LIMIT])

    while_redis_answers(both, count_as_one)
    for here, there in ((old, new), (new, old)):
        member = here.sign_up()
        bearer = {"Authorization": f"Bearer {member.token}"}
        assert there.client.get("/api/auth/me", headers=bearer).status_code == 200
        assert there.authorize(member.api_key) == 200
        # Each version reads what the other has written of a session.
        token = {"refresh_token": member.refresh_token}
        renewed = there.client.post("/api/auth/token/refresh", json=token)
        assert renewed.status_code == 200
        token = {"refresh_token": renewed.json()["data"]["refresh_token"]}
        assert here.client.post("/api/auth/token/refresh", json=token).status_code == 200
        # Dead on one is dead on the other.
        key_id, key = member.create_key()
        assert there.authorize(key) == 200
        gone = there.client.delete(f"/api/auth/api-keys/{key_id}", headers=bearer)
        assert gone.is_success
        assert here.authorize(key) == 401
    for each in both:
        assert each.client.get("/readyz").status_code == 200
        assert "Traceback" not in each.gunicorn.log()
