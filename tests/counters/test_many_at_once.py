"""S47, S49: several charges in one step: each is decided as it would be alone, and counted once."""

import struct

import pytest

from ragauth.counters import Charge, Counters, LmdbCounters
from ragauth.counters.failover import FailoverCounters
from ragauth.counters.redis_store import RedisCounters
from ragauth.deadlines import WouldWait
from tests.counters.failover_support import CountedRedis, admitted, in_polling_thread, pool_of
from tests.counters.questions import ACCOUNT, DAY, KEY, MONTH, NOW, in_window, seed
from tests.servers.frozen import frozen
from tests.servers.redis import RedisServer, client_of

KEYS = [bytes([number]) * 16 for number in range(4)]


def charge(
    key: bytes = KEY, *, account: bytes = ACCOUNT, minute_limit: int = 60, size: int = 0
) -> Charge:
    tallies = (in_window(1, size=size),) if size else ()
    return Charge(account, key, 0, minute_limit, 1_000, 1, MONTH, DAY, NOW, tallies)


def test_no_limit_lets_more_through_within_one_step(counters: Counters) -> None:
    other = bytes(16)
    seed(counters)
    seed(counters, account=other)
    answers = counters.admit_all(
        [
            *[charge(minute_limit=3)] * 5,
            charge(account=other, minute_limit=1),
            *[charge(KEYS[0], size=2)] * 2,
            charge(KEYS[1], account=b"nobody's account"),
        ]
    )
    told = [answer and answer.refused_by for answer in answers]  # type: ignore[union-attr]
    assert told[:6] == [None, None, None, "minute", "minute", None]
    assert [answer.month_used for answer in answers[:6]] == [1, 2, 3, 3, 3, 1]  # type: ignore[union-attr]
    assert [answer.counts[0].used for answer in answers[6:8]] == [1, 2]  # type: ignore[union-attr]
    assert answers[8] is None
    saved = {row.key: row.requests for row in counters.changed_usage_of(ACCOUNT)}  # type: ignore[union-attr]
    assert saved == {KEY: 3, KEYS[0]: 2}


def test_late_answers_on_one_connection_are_each_given_once(
    patient: FailoverCounters, server: RedisServer
) -> None:
    """In any order, and the connection is free afterwards."""
    charges = [charge(key) for key in KEYS]
    with frozen(server.pid), in_polling_thread():
        answers = patient.admit_all(charges)
        assert all(isinstance(answer, WouldWait) and answer.has_waited for answer in answers)
    numbers = []
    for one in (charges[2], charges[0], charges[3], charges[1]):
        answer = patient.admit(one)
        assert answer is not None
        numbers.append(answer.month_used)
    assert numbers == [4, 2, 5, 3]
    assert patient._primary_answers
    assert len(pool_of(patient._primary)._available_connections) == 1
    assert not patient._primary._late
    rows = {row.key: row.requests for row in patient.changed_usage(10)}  # type: ignore[union-attr]
    assert rows == {KEY: 1, **dict.fromkeys(KEYS, 1)}


def test_one_that_is_dropped_takes_no_answer_from_the_others(
    patient: FailoverCounters, server: RedisServer
) -> None:
    with frozen(server.pid), in_polling_thread():
        patient.admit_all([charge(key) for key in KEYS])
    answer = patient.admit(charge(KEYS[3]))
    assert answer is not None
    assert answer.month_used == 5
    patient._primary.start_anew()
    # They were counted; nobody asks for the others, and this is another one.
    answer = patient.admit(charge(KEYS[0]))
    assert answer is not None
    assert answer.month_used == 6


def test_scripts_that_the_server_does_not_know_are_sent_as_texts(
    patient: FailoverCounters, server: RedisServer
) -> None:
    with client_of(server) as redis:
        redis.script_flush()
    answers = patient.admit_all([charge(), charge(KEYS[0], size=9), charge()])
    assert [answer.month_used for answer in answers] == [2, 3, 4]  # type: ignore[union-attr]


def test_without_redis_the_file_counts_them_all(
    store: FailoverCounters, primary: CountedRedis, server: RedisServer
) -> None:
    """S32"""
    assert admitted(store) == 1
    server.kill()
    assert store.admit_all([charge()] * 3) == [None] * 3
    store.seed_month(ACCOUNT, 0, MONTH, 1)
    answers = store.admit_all([charge()] * 3)
    assert [answer.month_used for answer in answers] == [2, 3, 4]  # type: ignore[union-attr]
    calls = primary.calls
    store.admit_all([charge()] * 3)
    assert primary.calls == calls


def test_a_cluster_is_asked_again_where_a_part_has_moved(cluster_counters: RedisCounters) -> None:
    accounts = [bytes([number]) * 16 for number in range(8)]
    for account in accounts:
        seed(cluster_counters, account=account)
    client = cluster_counters._client
    owners = dict(client._owners)  # type: ignore[attr-defined]
    (first, *_), (second, *_) = (
        [part for part in owners.values() if part == one] for one in set(owners.values())
    )
    client._owners.update(
        {part: second if owner == first else first for part, owner in owners.items()}
    )  # type: ignore[attr-defined]
    answers = cluster_counters.admit_all([charge(account=account) for account in accounts])
    assert [answer.month_used for answer in answers] == [1] * 8  # type: ignore[union-attr]
    assert client._owners == owners  # type: ignore[attr-defined]


def test_a_damaged_record_in_the_file_spoils_its_own_charge_alone(
    lmdb_counters: LmdbCounters,
) -> None:
    other = bytes(16)
    seed(lmdb_counters)
    seed(lmdb_counters, account=other)
    lmdb_counters._file.transact(lambda txn: txn.put(b"a" + other + b"\0", b"damaged"))
    answers = lmdb_counters.admit_all([charge(), charge(account=other), charge()])
    assert [getattr(answer, "month_used", None) for answer in answers] == [1, None, 2]
    assert isinstance(answers[1], struct.error)
    with pytest.raises(struct.error):
        lmdb_counters.admit(charge(account=other))
