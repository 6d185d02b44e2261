"""A Redis Cluster: each account in one slot; slots that are moved, lost, and taken over."""

from typing import Any

import pytest
from redis.crc import key_slot

from ragauth.counters import CountersUnavailable
from ragauth.counters.redis_client import PARTS
from ragauth.counters.redis_faults import CLUSTER_DOWN, MOVING, OTHER_KIND
from ragauth.counters.redis_store import RedisCounters
from tests.counters.questions import ACCOUNT, NOW, ask, installation, seed
from tests.counters.saved_usage import Saved, admit
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster, start_redis_cluster
from tests.waiting import wait_until

#: As many as parts and more, so that both nodes have some.
ACCOUNTS = [number.to_bytes(16, "big") for number in range(100)]


def names_in(cluster: RedisCluster) -> list[bytes]:
    servers = (cluster.first, cluster.second)
    return [name for server in servers for name in cluster.clients[server].scan_iter()]


def slot_of(store: RedisCounters, account: bytes) -> int:
    return int(key_slot(store._names_of(account).encode()))


def test_all_names_of_an_account_are_in_one_slot_and_those_of_all_on_every_node(
    cluster_counters: RedisCounters, shared_cluster: RedisCluster
) -> None:
    for account in ACCOUNTS:
        admit(cluster_counters, 1, account=account)
    cluster_counters.hit(b"login", 1_000, NOW)
    for account in ACCOUNTS:
        own = [name for name in names_in(shared_cluster) if account.hex().encode() in name]
        assert len(own) == 3  # both environments' months, and the usage of a day
        assert {key_slot(name) for name in own} == {slot_of(cluster_counters, account)}
    for server in (shared_cluster.first, shared_cluster.second):
        assert len(list(shared_cluster.clients[server].scan_iter("*:usage:*"))) > 20
    assert len({name.split(b":")[2] for name in names_in(shared_cluster)}) == PARTS


def test_each_part_has_its_turn_and_a_row_is_un_marked_where_it_is(
    cluster_counters: RedisCounters,
) -> None:
    for account in ACCOUNTS:
        admit(cluster_counters, 1, account=account)
    first_rows = [cluster_counters.changed_usage(1) for _ in range(PARTS)]
    parts = {cluster_counters._names_of(row.account) for [row] in first_rows}
    assert parts == {cluster_counters._names_of(account) for account in ACCOUNTS}
    rows = cluster_counters.changed_usage(1_000)
    assert sorted(row.account for row in rows) == ACCOUNTS
    cluster_counters.usage_saved(rows)
    assert cluster_counters.changed_usage(1_000) == []


def test_while_a_slot_is_moved_nothing_is_counted_in_its_halves(
    cluster_counters: RedisCounters, shared_cluster: RedisCluster
) -> None:
    """S49: and afterwards the minute and the usage go on where they were."""
    store, database = cluster_counters, Saved()
    admit(store, 3)
    slot = slot_of(store, ACCOUNT)
    ends = [shared_cluster.first, shared_cluster.second]
    source, target = sorted(ends, key=lambda each: -keys_in(shared_cluster, each, slot))
    ask_of = shared_cluster.ask
    ask_of(target, "SETSLOT", slot, "IMPORTING", shared_cluster.id_of(source))
    ask_of(source, "SETSLOT", slot, "MIGRATING", shared_cluster.id_of(target))
    names = shared_cluster.clients[source].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100)
    assert len(names) >= 4
    for name in (None, *names):
        if name is not None:
            shared_cluster.clients[source].migrate("127.0.0.1", target.port, name, 0, 1_000)
        for question in (
            lambda: ask(store),
            lambda: seed(store),
            lambda: store.resume("an outage"),
        ):
            with pytest.raises(CountersUnavailable) as refused:
                question()
            assert refused.value.state == MOVING
    for server in (target, source):
        ask_of(server, "SETSLOT", slot, "NODE", shared_cluster.id_of(target))
    admit(store, 1)
    answer = ask(store, minute_limit=4)
    assert answer is not None
    assert (answer.refused_by, answer.minute_used, answer.month_used) == ("minute", 4, 4)
    database.save(store)
    assert database.requests == 4


def keys_in(cluster: RedisCluster, server: RedisServer, slot: int) -> int:
    return int(cluster.ask(server, "COUNTKEYSINSLOT", slot))


def test_a_lost_primary_is_an_outage_until_its_replica_takes_over() -> None:
    """S48: and then nothing that was replicated is lost, and nothing counted twice."""
    with start_redis_cluster() as cluster:
        store, database = RedisCounters(cluster.url, installation), Saved()
        for account in ACCOUNTS:
            admit(store, 3, account=account)
        for _ in range(2):
            database.save(store)
        lost = [account for account in ACCOUNTS if slot_of(store, account) < 8_192]
        cluster.wait_for_the_replica()
        cluster.first.kill()
        with pytest.raises(CountersUnavailable, match="Redis"):
            ask(store, account=lost[0])
        wait_until(lambda: state_of(store) == CLUSTER_DOWN)
        cluster.ask(cluster.replica, "FAILOVER", "TAKEOVER")
        wait_until(lambda: state_of(store) is None)
        for account in ACCOUNTS:
            admit(store, 1, saved=3, account=account)
            answer = ask(store, account=account, minute_limit=4)
            assert answer is not None
            assert (answer.refused_by, answer.minute_used) == ("minute", 4)
        while database.save(store):
            pass
        assert database.requests == 4 * len(ACCOUNTS)
        store.close()


def state_of(store: RedisCounters) -> str | None:
    try:
        store.resume("an outage")
    except CountersUnavailable as error:
        return error.state
    return None


def test_a_url_of_one_server_says_what_it_leads_to(shared_cluster: RedisCluster) -> None:
    stores: list[Any] = [
        RedisCounters(server.url, installation)
        for server in (shared_cluster.first, shared_cluster.second)
    ]
    states = set()
    for store in stores:
        try:
            store.ping()
        except CountersUnavailable as error:
            states.add(error.state)
        store.close()
    assert states == {OTHER_KIND}
