"""Redis with a user of its own: what is documented is enough, and a refusal says why."""

from typing import Any

import pytest
import redis

from ragauth.config.redis_urls import redis_url
from ragauth.counters import CountersUnavailable
from ragauth.counters import redis_faults as faults
from ragauth.counters.redis_store import RedisCounters
from tests.counters.questions import installation
from tests.counters.redis_rights import (
    ENCODED,
    PASSWORD,
    documented_rules,
    rights,
    state_of,
    use_all,
)
from tests.servers.redis import RedisServer, start_sentinel
from tests.servers.redis_cluster import RedisCluster


class TestRights:
    def test_the_documented_user_may_do_all_that_is_needed_and_nothing_else(
        self, shared_redis: RedisServer, redis_client: Any
    ) -> None:
        redis_client.execute_command("ACL", "SETUSER", "ragauth", "reset", *documented_rules())
        redis_client.execute_command("ACL", "LOG", "RESET")
        url = f"redis://ragauth:{ENCODED}@127.0.0.1:{shared_redis.port}/1?client_name=ragauth"
        store = RedisCounters(redis_url(url), installation)
        use_all(store)
        redis_client.script_flush()
        use_all(store)
        store.close()
        assert redis_client.execute_command("ACL", "LOG") == []
        other = RedisCounters(redis_url(url), lambda: "others")
        with pytest.raises(CountersUnavailable) as refused:
            other.ping()
        assert refused.value.state == faults.MAY_NOT
        other.close()
        with redis.Redis.from_url(url) as client:
            for command in ("FLUSHALL", "KEYS *", "CONFIG GET *", "GET ragauth:others:source"):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*command.split())

    def test_it_may_do_so_in_a_cluster(
        self, cluster_counters: RedisCounters, shared_cluster: RedisCluster
    ) -> None:
        for client in shared_cluster.clients.values():
            client.execute_command("ACL", "SETUSER", "ragauth", "reset", *documented_rules())
        hosts = shared_cluster.url.partition("://")[2]
        store = RedisCounters(redis_url(f"redis+cluster://ragauth:{ENCODED}@{hosts}"), installation)
        use_all(store)
        store.close()
        assert state_of(f"redis+cluster://ragauth:no@{hosts}") == faults.REFUSES_THE_USER

    def test_each_right_is_needed(self, shared_redis: RedisServer, redis_client: Any) -> None:
        """What is documented is asked for; without INFO all goes on."""
        url = f"redis://ragauth:{ENCODED}@127.0.0.1:{shared_redis.port}/1?client_name=ragauth"
        for right in rights():
            rules = [word for word in documented_rules() if word != right]
            redis_client.execute_command("ACL", "SETUSER", "ragauth", "reset", *rules)
            redis_client.execute_command("ACL", "LOG", "RESET")
            redis_client.flushall()
            redis_client.script_flush()
            store = RedisCounters(redis_url(url), installation)
            try:
                use_all(store)
                use_all(store)
            except CountersUnavailable as error:
                assert error.state == faults.MAY_NOT  # noqa: PT017
            store.close()
            assert redis_client.execute_command("ACL", "LOG") != [], right

    def test_a_refusal_says_why(self, shared_redis: RedisServer, redis_client: Any) -> None:
        set_user = ("ACL", "SETUSER", "ragauth", "reset")
        redis_client.execute_command(*set_user, *documented_rules())
        at = f"127.0.0.1:{shared_redis.port}/0"
        assert state_of(f"redis://ragauth:wrong@{at}") == faults.REFUSES_THE_USER
        assert state_of(f"redis://nobody:{ENCODED}@{at}") == faults.REFUSES_THE_USER
        redis_client.execute_command("ACL", "SETUSER", "ragauth", "-set")
        assert state_of(f"redis://ragauth:{ENCODED}@{at}") == faults.MAY_NOT
        redis_client.config_set("maxmemory", 1)
        try:
            assert state_of(f"redis://{at}") == faults.FULL
        finally:
            redis_client.config_set("maxmemory", 0)
        redis_client.config_set("min-replicas-to-write", 1)
        try:
            assert state_of(f"redis://{at}") == faults.FEW_REPLICAS
        finally:
            redis_client.config_set("min-replicas-to-write", 0)
        assert state_of(f"redis+sentinel://{at.partition('/')[0]}/tests") == faults.REFUSES
        assert state_of(f"rediss://{at}") in (faults.UNTRUSTED, faults.OUT_OF_REACH)

    def test_the_sentinels_have_a_password_of_their_own(self, shared_redis: RedisServer) -> None:
        with start_sentinel(shared_redis, PASSWORD) as sentinel:
            url = f"redis+sentinel://127.0.0.1:{sentinel.port}/tests/0"
            right = f"{url}?sentinel_password={ENCODED}"
            store = RedisCounters(redis_url(right), installation)
            use_all(store)
            store.close()
            assert state_of(url) == faults.REFUSES_THE_USER
            assert state_of(f"{url}?sentinel_password=wrong") == faults.REFUSES_THE_USER
            assert state_of(right.replace("/tests/", "/other/")) == faults.NO_PRIMARY
            assert state_of(right.replace("//", f"//ragauth:{ENCODED}wrong@")) == (
                faults.REFUSES_THE_USER
            )
