"""Redis goes and comes back: keys are checked and limits go on meanwhile."""

from collections import Counter

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service, User
from tests.servers.redis import start_redis
from tests.waiting import wait_until

TRIAL_MINUTE = 60


def state_of_redis(service: Service) -> tuple[int, str]:
    answer = service.client.get("/readyz")
    body = answer.json()
    checks = body["data"]["checks"] if answer.is_success else body["error"]["details"]["checks"]
    return answer.status_code, checks["redis"]


def test_without_redis_keys_are_checked_limits_go_on_and_readyz_says_so(
    new_installation: NewInstallation,
) -> None:
    """S32: and it comes back without a restart."""
    installation = new_installation("sqlite")
    with start_redis() as redis, installation.serve(RAGAUTH_REDIS_URL=redis.url) as service:
        user = service.sign_up()
        assert service.authorize(user.api_key) == 200
        assert state_of_redis(service) == (200, "ok")
        redis.stop()
        wait_until(lambda: state_of_redis(service) == (503, "out of reach"), every_seconds=0.1)
        other = service.sign_up()
        statuses = Counter(service.authorize(other.api_key) for _ in range(TRIAL_MINUTE + 10))
        assert statuses == {200: TRIAL_MINUTE, 429: 10}
        key_id, raw_key = user.create_key()
        assert service.authorize(raw_key) == 200
        user.request("DELETE", f"/api/auth/api-keys/{key_id}")
        assert service.authorize(raw_key) == 401
        assert service.client.get("/healthz").status_code == 200
        redis.start()
        wait_until(lambda: state_of_redis(service) == (200, "ok"), every_seconds=0.1)
        assert service.authorize(user.api_key) == 200
        # What was counted in either store is not lost.
        wait_until(lambda: requests_of(other) == TRIAL_MINUTE)
        wait_until(lambda: requests_of(user) == 3)


def requests_of(user: User) -> int:
    return sum(row["requests"] for row in user.data("GET", "/api/auth/usage"))
