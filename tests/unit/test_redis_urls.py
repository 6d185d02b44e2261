"""RAGAUTH_REDIS_URL: understood or refused, and no message shows a password."""

from typing import Any

from ragauth.config.redis_urls import is_unverified, redis_place, redis_url
from ragauth.counters.redis_client import open_client
from tests.cases import for_each
from tests.unit.test_urls import SECRET, refusal


def pool_of(url: str) -> Any:
    """The connections that a store of this URL has."""
    return open_client(url)._server.connection_pool  # type: ignore[attr-defined]


class TestRedis:
    @for_each(
        ("url", "arguments"),
        [
            ("REDIS://h", {"host": "h"}),
            ("redis://h:6380/2", {"host": "h", "port": 6380, "db": 2}),
            ("redis://h?db=2&client_name=auth", {"db": 2, "client_name": "auth"}),
            ("redis://:p@s/s#w@h/0", {"password": "p@s/s#w"}),
            ("redis://u:p%2Bq@[::1]:6379/0", {"host": "::1", "username": "u", "password": "p+q"}),
            (
                "rediss://h/0?ssl_cert_reqs=none",
                {"ssl_cert_reqs": "none", "ssl_check_hostname": False},
            ),
            ("rediss://h/0", {"ssl_check_hostname": True}),
            ("redis+sentinel://u:p@s1,s2:1/main", {"username": "u", "password": "p", "db": 0}),
            ("redis+sentinel://s1/main?db=3", {"db": 3}),
            ("rediss+sentinel://s1/main/2", {"db": 2, "ssl_check_hostname": True}),
            ("rediss://h/0?ssl_check_hostname=false", {"ssl_check_hostname": False}),
            ("unix:///run/redis.sock?db=1", {"path": "/run/redis.sock", "db": 1}),
        ],
    )
    def test_what_is_understood_reaches_redis(self, url: str, arguments: dict[str, object]) -> None:
        pool = pool_of(redis_url(url))
        assert pool.connection_kwargs.items() >= arguments.items()
        # It is here that redis-py refuses what it does not know.
        pool.make_connection()

    @for_each(
        ("url", "words"),
        [
            ("redis://h/0?ssl_cert_reqs=none", "ssl_cert_reqs"),
            ("redis://h/0?ssl=true", "rediss:// is TLS"),
            ("redis://h/0?client_name=two%20words", "client_name"),
            ("redis://h/0?client_name=a%0Ab", "client_name"),
            ("redis://h/0?prefix=x", "prefix"),
            ("redis://h/0?decode_responses=True", "decode_responses"),
            ("redis://h/0?socket_timeout=9", "socket_timeout"),
            ("redis://h?db=x", "number"),
            ("redis://h/x", "number"),
            ("redis://h/1?db=2", "once"),
            ("rediss://h?ssl_cert_reqs=perhaps", "ssl_cert_reqs"),
            ("rediss://h?ssl_ca_certs=/nowhere", "ssl_ca_certs"),
            ("redis://a,b/0", "one host"),
            ("redis+sentinel://s1", "name the primary"),
            ("redis+sentinel://s1/main/x", "number"),
            ("redis+sentinel://s1/main/1?db=2", "once"),
            ("redis+sentinel://s1/two%20words", "name the primary"),
            ("redis+sentinel:///main", "must be like"),
            ("redis+sentinel://s1,/main", "must be like"),
            ("redis+sentinel://s1/main?sentinel_username=u", "sentinel_password"),
            ("redis+sentinel://s1/main?ssl_cert_reqs=none", "ssl_cert_reqs"),
            (f"redis://h/0?sentinel_password={SECRET}", "sentinel_password"),
            ("redis+cluster://a,b/1", "only number 0"),
            ("redis+cluster://a,b?db=1", "db"),
            ("redis+cluster://", "must be like"),
            ("redis+cluster://" + ",".join("abcdefghij"), "at most 9"),
            ("sentinel://h:26379/main", "redis+sentinel://"),
            ("rediss+unix:///run/redis.sock", "must start with"),
            ("redis://%2Frun%2Fredis/0", "one host"),
            ("redis://h:abc", "port"),
            ("redis:///0", "must be like"),
            ("unix://", "must be like"),
            (f"http://:{SECRET}@h", "must start with redis://"),
            (f"redis://:{SECRET}%@h", "percent-encoded"),
        ],
    )
    def test_what_redis_py_would_stumble_on_is_refused(self, url: str, words: str) -> None:
        assert words in refusal(redis_url, url)

    @for_each(
        ("url", "place"),
        [
            ("redis://u:p@h/2", "h:6379"),
            ("rediss://[::1]:6380", "[::1]:6380"),
            ("unix:///run/redis.sock?db=1", "/run/redis.sock"),
            (
                "redis+sentinel://:p@s1,s2:1/main/2?sentinel_password=q",
                "main (Sentinel s1:26379,s2:1)",
            ),
            ("rediss+cluster://u:p@a,b:7000", "a:6379,b:7000"),
        ],
    )
    def test_where_it_is_is_told_without_user_and_password(self, url: str, place: str) -> None:
        assert str(redis_place(redis_url(url))) == place

    def test_a_certificate_that_is_not_looked_at_is_known(self) -> None:
        assert is_unverified(redis_url("rediss+cluster://h?ssl_cert_reqs=none"))
        assert not is_unverified(redis_url("rediss://h"))
