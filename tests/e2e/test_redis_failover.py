"""S48: a primary of Redis is killed, and a replica takes over as the Sentinels say."""

import time
from collections import Counter
from contextlib import ExitStack

import redis

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service
from tests.e2e.test_redis_gone import TRIAL_MINUTE, requests_of, state_of_redis
from tests.servers.redis import client_of, follow, start_redis, start_sentinel
from tests.waiting import wait_until

_SURELY_IN_THE_MINUTE = 50
# What takes over gets the processor as well.
_PAUSE_SECONDS = 0.1


def all_workers_are_back(service: Service) -> bool:
    return all(state_of_redis(service) == (200, "ok") for _ in range(10))


def _is_replica(server: "redis.Redis[bytes]") -> bool:
    try:
        return bool(server.info("replication")["role"] == "slave")
    except redis.ConnectionError:
        # The Sentinel ends the connections of a server whose role it changes.
        return False


def test_over_a_fail_over_no_check_fails_and_no_usage_is_lost_or_counted_twice(
    new_installation: NewInstallation,
) -> None:
    """S48, S49: what was replicated stays, and a used minute lets through once more on the host."""
    installation = new_installation("sqlite")
    with ExitStack() as servers:
        first = servers.enter_context(start_redis())
        second = servers.enter_context(start_redis("--replicaof", "127.0.0.1", str(first.port)))
        sentinel = servers.enter_context(start_sentinel(first))
        with redis.Redis(port=sentinel.port) as watch:
            wait_until(lambda: len(watch.sentinel_slaves("tests")) == 1)
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/tests"
        service = servers.enter_context(installation.serve(RAGAUTH_REDIS_URL=url))
        busy, small = service.sign_up(plan="scale"), service.sign_up()
        began = time.monotonic()
        statuses = Counter(service.authorize(small.api_key) for _ in range(TRIAL_MINUTE + 5))
        assert statuses == {200: TRIAL_MINUTE, 429: 5}
        checks = [service.authorize(busy.api_key) for _ in range(20)]
        follow(first, second)
        first.kill()
        meanwhile: Counter[int] = Counter()
        while not all_workers_are_back(service):
            time.sleep(_PAUSE_SECONDS)
            checks += [service.authorize(busy.api_key) for _ in range(4)]
            meanwhile.update(service.authorize(small.api_key) for _ in range(4))
        checks += [service.authorize(busy.api_key) for _ in range(20)]
        after = Counter(service.authorize(small.api_key) for _ in range(10))
        if time.monotonic() - began < _SURELY_IN_THE_MINUTE:
            # The replica had the minute: it is used up there, too.
            assert after == {429: 10}
        assert set(meanwhile) <= {200, 429}
        assert meanwhile[200] <= TRIAL_MINUTE
        first.start()
        with client_of(first) as old:
            wait_until(lambda: _is_replica(old))
        assert all_workers_are_back(service)
        checks += [service.authorize(busy.api_key) for _ in range(5)]
        assert set(checks) == {200}
        wait_until(lambda: requests_of(busy) == len(checks))
        wait_until(lambda: requests_of(small) == TRIAL_MINUTE + meanwhile[200] + after[200])
