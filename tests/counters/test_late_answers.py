"""S47, S49: an answer of Redis that is only late is waited for elsewhere, and counts once."""

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ragauth.counters import Reserve, Use
from ragauth.counters.failover import FailoverCounters
from ragauth.counters.redis_store import RedisCounters
from ragauth.deadlines import WouldWait
from tests.counters.failover_support import (
    admitted,
    connect_polling_thread,
    first_answer,
    in_polling_thread,
    pool_of,
)
from tests.counters.questions import ACCOUNT, MONTH, NOW, ask, in_window, seed
from tests.servers.frozen import frozen
from tests.servers.redis import RedisServer, client_of
from tests.servers.redis_cluster import RedisCluster
from tests.waiting import slowness

_SECONDS = 10
KEYS = [bytes([number]) * 16 for number in range(3)]


@contextmanager
def late(server: RedisServer) -> Iterator[None]:
    """In the polling thread, while Redis answers nothing; the answers come after the block."""
    with frozen(server.pid), in_polling_thread():
        yield


def is_answered_at_last(connection: Any) -> bool:
    """Wait for the late answer, as Redis may answer another connection's later question first."""
    return bool(select.select([connection._sock], [], [], _SECONDS * slowness())[0])


def hand_over(store: Any, **question: Any) -> None:
    with pytest.raises(WouldWait) as handed_over:
        ask(store, **question)
    assert handed_over.value.has_waited


def used(store: Any, **question: Any) -> int:
    answer = ask(store, **question)
    assert answer is not None
    assert answer.refused_by is None
    return answer.month_used


def test_it_is_counted_once_and_redis_is_not_lost(
    patient: FailoverCounters, server: RedisServer
) -> None:
    """Also if the clock moved on before the request was repeated."""
    with late(server):
        hand_over(patient)
    assert used(patient, now_ms=NOW + 70) == 2
    assert patient._primary_answers
    assert first_answer(lambda: used(patient)) == 3
    [row] = patient.changed_usage(10)
    assert row.requests == 3


def test_the_reservation_is_the_one_that_was_made(
    patient: FailoverCounters, server: RedisServer
) -> None:
    """And an answer is for a question that counts the same."""
    uses = (Use(b"tokens", 5),)
    question = {"uses": uses, "tallies": (in_window(5, size=100),)}
    # Redis knows the script from now on.
    assert ask(patient, **question) is not None
    with late(server):
        hand_over(patient, **question, reserve=Reserve(b"1" * 16, NOW + 9_000, uses))
    other = ask(patient, **question)
    assert other is not None
    assert other.token == b""
    answer = ask(patient, **question, reserve=Reserve(b"2" * 16, NOW + 9_001, uses))
    assert answer is not None
    assert answer.token == b"1" * 16
    assert {other.counts[0].used, answer.counts[0].used} == {10, 15}
    settled = patient.settle(ACCOUNT, answer.token, (), NOW, answer.store)
    assert (settled.outcome, settled.released) == ("settled", uses)


def test_in_a_cluster_too(cluster_counters: RedisCounters, shared_cluster: RedisCluster) -> None:
    seed(cluster_counters)
    connect_polling_thread(cluster_counters)
    assert first_answer(lambda: used(cluster_counters)) == 1
    with frozen(shared_cluster.first.pid, shared_cluster.second.pid), in_polling_thread():
        hand_over(cluster_counters)
    assert used(cluster_counters) == 2
    assert used(cluster_counters) == 3


def test_a_refusal_that_is_late_is_a_refusal(
    patient: FailoverCounters, server: RedisServer
) -> None:
    with late(server):
        hand_over(patient, minute_limit=1)
    answer = ask(patient, minute_limit=1)
    assert answer is not None
    assert (answer.refused_by, answer.minute_used) == ("minute", 1)
    assert used(patient) == 2


def test_each_is_given_once_and_only_to_the_same_key_and_cost(
    patient: FailoverCounters, server: RedisServer
) -> None:
    first, second = {"key": KEYS[0], "cost": 10}, {"key": KEYS[1], "cost": 100}
    pool = pool_of(patient._primary)
    for connection in [pool.get_connection() for _ in range(3)]:
        pool.release(connection)
    with late(server):
        for question in (first, second, second):
            hand_over(patient, **question)
    with client_of(server) as redis:
        redis.ping()  # Answered after what was sent before.
    assert used(patient, key=KEYS[2], cost=100) == 311
    assert used(patient, key=KEYS[0], cost=100) == 411
    earlier = [used(patient, **question) for question in (first, second, second)]
    assert max(earlier) == 211
    assert len(set(earlier)) == 3
    assert [used(patient, **question) for question in (first, second)] == [421, 521]


def test_one_that_does_not_come_in_time_either_is_an_outage(
    store: FailoverCounters, server: RedisServer
) -> None:
    """S32: the host counts alone, and Redis may have counted this one check too."""
    assert admitted(store) == 1
    with frozen(server.pid):
        with in_polling_thread():
            hand_over(store)
        assert admitted(store, base_units=1) == 2
    assert not store._primary_answers


def test_one_that_nobody_asks_for_is_closed(
    patient: FailoverCounters, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the key was revoked before the request was repeated."""
    redis: Any = patient._primary
    [connection] = pool_of(redis)._available_connections
    monkeypatch.setattr("ragauth.counters.late_answers._KEPT_SECONDS", 0.0)
    with late(server):
        hand_over(patient)
    assert is_answered_at_last(connection)
    assert used(patient) == 3
    assert connection._sock is None
    assert not redis._late


def test_none_outlives_an_outage(patient: FailoverCounters, server: RedisServer) -> None:
    redis: Any = patient._primary
    [connection] = pool_of(redis)._available_connections
    with late(server):
        hand_over(patient)
    assert is_answered_at_last(connection)
    redis.start_anew()
    assert not redis._late
    assert first_answer(lambda: used(patient)) == 3


def test_what_only_reads_is_asked_again(patient: FailoverCounters, server: RedisServer) -> None:
    redis: Any = patient._primary
    with late(server), pytest.raises(WouldWait):
        patient.peek(ACCOUNT, 0, MONTH, NOW)
    assert not redis._late

    def read() -> Any:
        return patient.peek(ACCOUNT, 0, MONTH, NOW)

    for peek in (first_answer(read), read()):
        assert peek is not None
        assert peek.month_used == 1


def test_a_script_that_the_server_did_not_know_is_sent_again(
    patient: FailoverCounters, server: RedisServer
) -> None:
    with client_of(server) as redis:
        redis.script_flush()
    with late(server):
        hand_over(patient)
    assert used(patient) == 2
    assert used(patient) == 3


def test_a_connection_that_takes_too_long_is_made_elsewhere(
    patient: FailoverCounters, server: RedisServer
) -> None:
    patient._primary.start_anew()
    with late(server):
        hand_over(patient)
    assert used(patient) == 2
    assert patient._primary_answers


def test_a_fork_has_none_of_them(patient: FailoverCounters, server: RedisServer) -> None:
    with late(server):
        hand_over(patient)
    pid = os.fork()
    if pid == 0:
        os._exit(used(patient))
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert used(patient) == 2
