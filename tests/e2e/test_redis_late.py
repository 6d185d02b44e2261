"""Redis answers later than the polling thread waits, as on a busy machine, but it is well."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service, at_once
from tests.e2e.test_redis_gone import TRIAL_MINUTE, requests_of, state_of_redis
from tests.servers.redis import RedisServer, client_of, start_redis
from tests.waiting import wait_until

# Longer than the polling thread waits, and much shorter than the others do.
_LATE_SECONDS = 0.1
_AT_ONCE = 5


@contextmanager
def hold_up(redis: RedisServer) -> Iterator[None]:
    """Let Redis begin with what it is asked in the block a while after it was asked."""
    with client_of(redis) as client:
        connection = client.connection_pool.get_connection()
        connection.send_command("DEBUG", "SLEEP", _LATE_SECONDS)
        yield
        assert connection.read_response() == b"OK"
        client.connection_pool.release(connection)


def times_lost(service: Service) -> list[str]:
    lines = service.client.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith("ragauth_redis_lost_total ")]


def test_each_check_counts_once_and_redis_is_not_lost(new_installation: NewInstallation) -> None:
    """S23, S49: exactly the limit is let through, for `authorize` and `verify`."""
    installation = new_installation("sqlite")
    command = ("service-keys", "create", "--name", "gateway", "--scope", "verify", "--json")
    gateway = json.loads(installation.command(*command))["api_key"]
    with (
        start_redis("--enable-debug-command", "yes") as redis,
        installation.serve(RAGAUTH_REDIS_URL=redis.url) as service,
    ):
        user = service.sign_up()

        def verify() -> int:
            answer = service.client.post(
                "/api/v1/keys/verify", headers={"X-API-Key": gateway}, json={"key": user.api_key}
            )
            return 200 if answer.json()["data"]["valid"] else 429

        asks = [lambda: service.authorize(user.api_key)] * _AT_ONCE + [verify]
        statuses = Counter(ask() for ask in asks)
        while statuses.total() <= TRIAL_MINUTE:
            with hold_up(redis):
                statuses.update(at_once(asks))
        refused = statuses.total() - TRIAL_MINUTE
        assert statuses == {200: TRIAL_MINUTE, 429: refused}
        wait_until(lambda: requests_of(user) == TRIAL_MINUTE)
        assert state_of_redis(service) == (200, "ok")
        assert times_lost(service) == ["ragauth_redis_lost_total 0.0"]
