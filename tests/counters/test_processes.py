"""Limits are exact across processes, also when some of them are killed."""

import os
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from ragauth.counters import Counters, LmdbCounters, MeterRow, Peek, UsageRow
from tests.counters.kill_rounds import SURVIVOR_ASKS
from tests.counters.questions import ACCOUNT, MONTH, NOW, ask, seed
from tests.servers.preloaded import fork_module

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


def run_module(name: str, address: object, *numbers: int) -> list[str]:
    """Run a module of this folder in a process of its own; return the lines that it printed."""
    with TemporaryFile() as printed:
        process = fork_module(
            name,
            [str(address), *map(str, numbers)],
            environment={"PATH": os.defpath},
            cwd=ROOT,
            output=printed.fileno(),
        )
        code = process.wait(PATIENCE_SECONDS)
        printed.seek(0)
        output = printed.read().decode()
    assert code == 0, output
    return output.splitlines()


#: A Cluster runs the same scripts, and each round of processes takes seconds.
both = pytest.mark.parametrize("counters", ["lmdb", "redis"], indirect=True)


@both
def test_four_processes_of_twenty_threads_are_admitted_exactly_up_to_the_limit(
    counters: Counters, address: str
) -> None:
    seed(counters)
    output = run_module("tests.counters.admit_many", address, 4, 20, 6, 300, 0)
    assert len(output) == 4
    admitted = [int(number) for line in output for number in line.split()]
    assert sorted(admitted) == list(range(1, 301))
    assert counters.peek(ACCOUNT, 0, MONTH, NOW) == Peek(300, NOW + 60_000, 600)
    assert [(row.requests, row.units) for row in counters.changed_usage(10)] == [(300, 600)]


@both
def test_four_processes_at_once_use_up_a_total_that_none_of_them_knew(
    counters: Counters, address: str
) -> None:
    """S49"""
    seed(counters)
    output = run_module("tests.counters.admit_many", address, 4, 20, 5, 10**9, 300)
    admitted = [int(number) for line in output for number in line.split()]
    assert sorted(admitted) == list(range(1, 301))
    [usage, meter] = counters.changed_usage_of(ACCOUNT)
    assert isinstance(usage, UsageRow)
    assert isinstance(meter, MeterRow)
    assert (usage.requests, meter.amount, meter.released) == (300, 300, 0)


@both
def test_killed_processes_lose_at_most_the_answer_they_were_waiting_for(
    counters: Counters, address: str
) -> None:
    rounds = 4
    output = run_module("tests.counters.kill_rounds", address, rounds)
    assert output.pop() == "then True"
    if isinstance(counters, LmdbCounters):
        assert output.pop() == "junk False"
    assert len(output) == rounds * 3
    for line in output:
        status, reported, stored = map(int, line.split())
        if status == 0:
            assert (reported, stored) == (SURVIVOR_ASKS, SURVIVOR_ASKS)
        else:
            assert status == -9
            assert reported > 0
            assert stored in (reported, reported + 1)
    seed(counters)
    assert ask(counters) is not None


def test_a_store_opened_before_a_fork_counts_on_both_sides(address: str) -> None:
    assert run_module("tests.counters.fork_beside", address) == ["400"]
