"""Threads that lose Redis, or find it again, at the same time."""

import threading

from ragauth.counters import CountersUnavailable
from ragauth.counters.failover import FailoverCounters
from tests.counters.failover_support import Clock, CountedRedis, admitted
from tests.counters.questions import ask, seed
from tests.servers.redis import RedisServer


def test_many_threads_that_lose_redis_together_count_on(
    store: FailoverCounters, server: RedisServer
) -> None:
    admitted(store)
    server.stop()
    start = threading.Barrier(16)
    used: list[int] = []

    def work() -> None:
        start.wait()
        used.append(admitted(store, base_units=1))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(used) == list(range(2, 18))


def test_a_call_that_fails_late_begins_no_second_turn(
    store: FailoverCounters, clock: Clock
) -> None:
    store._leave_primary(CountersUnavailable("first"))
    seed(store)
    clock.seconds += 0.5
    store._leave_primary(CountersUnavailable("late"))
    assert ask(store) is not None


def test_nobody_else_waits_while_one_thread_tries_redis(
    store: FailoverCounters, primary: CountedRedis, clock: Clock
) -> None:
    store._leave_primary(CountersUnavailable("a cable was pulled"))
    clock.seconds += 1
    calls = primary.calls
    with store._switching:
        assert admitted(store) == 1
    assert primary.calls == calls


def test_a_thread_that_came_late_uses_what_another_one_found(
    store: FailoverCounters, primary: CountedRedis
) -> None:
    store._leave_primary(CountersUnavailable("a cable was pulled"))
    assert store._try_primary()
    calls = primary.calls
    assert store._try_primary()
    assert primary.calls == calls
