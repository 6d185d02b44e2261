"""Who asks about keys: gateways that authorize, services that verify, and bursts at a limit."""

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.soak.asking import Answer
from tests.soak.hosts import Host
from tests.soak.known import Account, Key, Keys
from tests.soak.oracle import NO_FAULT, Excuse, Oracle
from tests.soak.stage import LIMIT, Stage
from tests.soak.standing_in import SEEN_WITHIN_SECONDS

_BURST = LIMIT + 8
_BURST_THREADS = 4
# The window opens with the first that is counted: after so long without any it is closed.
_WINDOW_SECONDS = 60
_PAUSE_SECONDS = _WINDOW_SECONDS + 3


class Checker:
    """Asks about a key at random, live or dead, at a host at random."""

    def __init__(self, stage: Stage, oracle: Oracle, keys: Keys, seed: str) -> None:
        self._stage = stage
        self._oracle = oracle
        self._keys = keys
        self._rng = random.Random(seed)

    def act(self) -> None:
        key = self._keys.pick(self._rng)
        if key is None:
            time.sleep(0.1)
            return
        host = self._rng.choice(self._stage.hosts)
        if self._rng.random() < 0.5:
            authorize(self._oracle, host, key)
        else:
            verify(self._oracle, host, key, self._stage.service_key)


def authorize(oracle: Oracle, host: Host, key: Key) -> Answer:
    """Ask as a gateway does."""
    answer = host.ask("GET", "/api/v1/authorize", credential=key.raw)
    oracle.hear(answer)
    key.judge(oracle, answer, answer.status)
    return answer


def verify(oracle: Oracle, host: Host, key: Key, service_key: str) -> Answer:
    """Ask as a service does, with a key of its own."""
    answer = host.ask("POST", "/api/v1/keys/verify", credential=service_key, body={"key": key.raw})
    oracle.hear(answer)
    if answer.status == 200:
        key.judge(oracle, answer, answer.data["status"])
    else:
        # It says nothing of the key that was asked about.
        key.uses.hear(answer, None if answer.is_unknown else 0)
        if not answer.is_unknown:
            promise = "a live service key is never refused"
            oracle.broke(promise, str(answer), answer.began, answer.ended)
    return answer


@dataclass
class _Limited:
    account: Account
    key: Key
    rested_at: float = 0.0


class Bursts:
    """Accounts with a small limit, each exhausted at once from all hosts, once in a window."""

    def __init__(self, stage: Stage, oracle: Oracle, accounts: list[Account]) -> None:
        self._stage = stage
        self._oracle = oracle
        self._limited = [
            _Limited(account, account.primary) for account in accounts if account.primary
        ]

    def act(self) -> None:
        now = time.monotonic()
        rested = [each for each in self._limited if each.rested_at <= now]
        if not rested:
            time.sleep(0.2)
            return
        limited = rested[0]
        hosts = self._stage.hosts
        with ThreadPoolExecutor(_BURST_THREADS) as threads:
            answers = list(
                threads.map(
                    lambda number: authorize(self._oracle, hosts[number % len(hosts)], limited.key),
                    range(_BURST),
                )
            )
        limited.rested_at = time.monotonic() + _PAUSE_SECONDS
        time.sleep(SEEN_WITHIN_SECONDS)
        judge_burst(self._oracle, answers, limit=LIMIT, hosts=len(hosts))


def judge_burst(oracle: Oracle, answers: list[Answer], *, limit: int, hosts: int) -> None:
    """Hold what was let through of one window against the limit."""
    began = min(answer.began for answer in answers)
    ended = max(answer.ended for answer in answers)
    if ended - began > _WINDOW_SECONDS - 5:
        # It may have been two windows.
        return
    admitted = sum(answer.status == 200 for answer in answers)
    is_quiet = oracle.fault_at(began, ended) == NO_FAULT
    is_alone = oracle.is_excused(Excuse.ALONE, began, ended)
    most = limit * (1 + hosts) if is_alone else limit
    told = f"{admitted} of a limit of {limit}, {len(answers)} asked, {ended - began:.1f} s"
    if admitted > most:
        oracle.broke("no more is let through than the limit allows", told, began, ended)
    if is_quiet and admitted < limit:
        statuses = sorted({str(answer.status) for answer in answers})
        told += f", statuses {json.dumps(statuses)}"
        oracle.broke("what the limit allows is let through", told, began, ended)
