"""The end of a round: nothing that was acknowledged is lost, and nothing is counted wrongly."""

import time
from collections.abc import Callable
from functools import partial

from tests.soak.asking import Answer
from tests.soak.checkers import authorize
from tests.soak.hosts import Host
from tests.soak.known import Account, Keys
from tests.soak.oracle import Oracle
from tests.soak.stage import Stage

_INSIST_SECONDS = 60
# Usage reaches the database each second.
_USAGE_SECONDS = 20


def reckon(
    stage: Stage, oracle: Oracle, accounts: list[Account], keys: Keys, limited: list[Account]
) -> None:
    """Hold every account, key and count of a round against what was acknowledged."""
    for host in stage.hosts:
        for key in keys.all():
            authorize(oracle, host, key)
    for number, account in enumerate([*accounts, *limited]):
        host = stage.hosts[number % len(stage.hosts)]
        if _log_in(host, oracle, account):
            _hold_keys(host, oracle, account)
            _hold_usage(host, oracle, account)


def _log_in(host: Host, oracle: Oracle, account: Account) -> bool:
    for password in account.passwords:
        question = partial(
            host.ask,
            "POST",
            "/api/auth/login",
            body={"email": account.email, "password": password},
        )
        answer = _insist(oracle, question)
        if answer.status == 200:
            account.token = answer.data["token"]
            return True
    _broke(oracle, "an acknowledged account logs in with its last password", answer)
    return False


def _hold_keys(host: Host, oracle: Oracle, account: Account) -> None:
    answer = _insist(
        oracle,
        lambda: host.ask("GET", "/api/auth/api-keys?limit=100", credential=account.token),
    )
    if answer.status != 200:
        _broke(oracle, "an account sees its keys", answer)
        return
    listed = {key["id"] for key in answer.data if key["is_active"]}
    lost = {key.id for key in account.keys if key.id.startswith("key_")} - listed
    if lost:
        oracle.broke(
            "an acknowledged key is there", f"{account.email}: {lost}", answer.began, answer.ended
        )


def _hold_usage(host: Host, oracle: Oracle, account: Account) -> None:
    least, most = account.uses.bounds(oracle)
    deadline = time.monotonic() + _USAGE_SECONDS
    while True:
        told, answer = _read_usage(host, oracle, account)
        if answer.status == 200 and least <= told <= most:
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.25)
    if answer.status != 200:
        _broke(oracle, "an account sees its usage", answer)
        return
    text = f"{account.email}: {told} told, {least} to {most} let through"
    oracle.broke("usage is what was let through", text, answer.began, answer.ended)


def _read_usage(host: Host, oracle: Oracle, account: Account) -> tuple[int, Answer]:
    """All requests of the month, of all pages, and the last answer."""
    told, path = 0, "/api/auth/usage?limit=100"
    while True:
        answer = host.ask("GET", path, credential=account.token)
        oracle.hear(answer)
        if answer.status != 200:
            return told, answer
        told += sum(row["requests"] for row in answer.data)
        if answer.next_cursor is None:
            return told, answer
        path = f"/api/auth/usage?limit=100&cursor={answer.next_cursor}"


def _insist(oracle: Oracle, question: Callable[[], Answer]) -> Answer:
    """Ask again while there is no place to hash."""
    deadline = time.monotonic() + _INSIST_SECONDS
    while True:
        answer = question()
        oracle.hear(answer)
        if answer.status != 429 or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)


def _broke(oracle: Oracle, promise: str, answer: Answer) -> None:
    oracle.broke(promise, str(answer), answer.began, answer.ended)
