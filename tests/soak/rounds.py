"""A round: a stage, its load, one fault after the other, and the reckoning at the end."""

import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from tests.soak.checkers import Bursts, Checker
from tests.soak.customers import Customer
from tests.soak.fault import Fault
from tests.soak.faults import deal
from tests.soak.known import Account, Keys
from tests.soak.oracle import NO_FAULT, Oracle
from tests.soak.probe import probing
from tests.soak.reckoning import reckon
from tests.soak.stage import LIMITED_PLAN, Stage, is_well, set_up
from tests.soak.standing_in import StandingIn

_CUSTOMERS = 4
_CHECKERS = 4
_LIMITED_ACCOUNTS = 6
_PAUSE_SECONDS = (0.02, 0.15)
_FIRST_CALM_SECONDS = 6.0
_CALM_SECONDS = (2.0, 6.0)
_SIGNUP_SECONDS = 30
_JOIN_SECONDS = 60
# Longer than what any fault allows: the figure is told, and then it is broken.
_RECOVERY_GIVES_UP_SECONDS = 60.0


@dataclass
class Score:
    """What came of one fault over all rounds."""

    times: int = 0
    longest_recovery_seconds: float = 0.0
    within_seconds: float = 0.0


@dataclass
class Soak:
    """What is known over all rounds."""

    seed: int
    logs: Path
    wanted: Callable[[type[Fault]], bool]
    oracle: Oracle = field(default_factory=Oracle)
    scores: dict[str, Score] = field(default_factory=dict)

    def play(self, number: int, kind: str, seconds: float, folder: Path) -> None:
        """Play one round of about so many seconds."""
        name = f"{self.seed}/{number}"
        rng = random.Random(name)
        logs = self.logs / f"round-{number}"
        logs.mkdir(parents=True)
        until = time.monotonic() + seconds
        with set_up(kind, folder, logs, rng, self._tell_of_line) as stage:
            keys = Keys()
            customers = [
                Customer(stage, self.oracle, keys, f"r{number}c{n}", f"{name}/customer {n}")
                for n in range(_CUSTOMERS)
            ]
            limited = _limited_accounts(
                stage, Customer(stage, self.oracle, Keys(), f"r{number}limited", f"{name}/limited")
            )
            canary = Customer(stage, self.oracle, Keys(), f"r{number}canary", f"{name}/canary")
            canary_account = _insist_on_account(canary)
            doers: list[Callable[[], None]] = [customer.act for customer in customers]
            doers += [
                Checker(stage, self.oracle, keys, f"{name}/checker {n}").act
                for n in range(_CHECKERS)
            ]
            doers.append(Bursts(stage, self.oracle, limited).act)
            doers.append(StandingIn(stage, self.oracle).act)
            with ExitStack() as stack:
                ports = {host.name: host.port for host in stage.hosts}
                stack.enter_context(probing(self.oracle, ports))
                stack.enter_context(_loaded(doers, self.oracle, name))
                self._inject(stage, rng, until, canary_account)
            accounts = [each for customer in customers for each in customer.accounts]
            reckon(stage, self.oracle, accounts, keys, limited)
            self.oracle.settle(all_of_them=True)
            for host in stage.hosts:
                if host.stop() != 0:
                    now = time.monotonic()
                    self.oracle.broke("SIGTERM ends a host well", host.name, now, now)

    def _inject(self, stage: Stage, rng: random.Random, until: float, canary: Account) -> None:
        self._calm(_FIRST_CALM_SECONDS)
        hand: list[type[Fault]] = []
        while True:
            hand = hand or deal(rng, stage, self.wanted)
            if not hand:
                self._calm(max(0.0, until - time.monotonic()))
                return
            fault = hand.pop()(stage)
            seconds = rng.uniform(*fault.seconds)
            calm = rng.uniform(*_CALM_SECONDS)
            if time.monotonic() + seconds + calm > until:
                return
            self._suffer(stage, fault, seconds, canary)
            self._calm(calm)

    def _suffer(self, stage: Stage, fault: Fault, seconds: float, canary: Account) -> None:
        score = self.scores.setdefault(fault.name, Score(within_seconds=fault.within_seconds))
        score.times += 1
        before = self.oracle.broken
        click.echo(f"{time.strftime('%H:%M:%S')}  {fault.name}: ", nl=False)
        sys.stdout.flush()
        window = self.oracle.begin(fault.name, fault.excuses, fault.within_seconds)
        try:
            fault.begin()
            self._calm(seconds)
        finally:
            fault.end()
            window.ended = time.monotonic()
        recovery = self._recover(stage, canary, window.ended)
        score.longest_recovery_seconds = max(score.longest_recovery_seconds, recovery)
        if recovery > fault.within_seconds:
            text = f"{recovery:.1f} s, promised are {fault.within_seconds:.0f} s"
            now = time.monotonic()
            self.oracle.broke("all is well again in time", text, window.began, now)
        for host in stage.hosts:
            if host.has_ended:
                raise RuntimeError(f"host {host.name} has ended:\n{host.log.tail()}")
        lasted = window.ended - window.began
        broken = self.oracle.broken - before
        click.echo(
            f"{lasted:.1f} s, well {recovery:.1f} s after it"
            + (f"; promises broken: {broken}" if broken else "")
        )

    def _recover(self, stage: Stage, canary: Account, since: float) -> float:
        """Wait until every host is well; returns after how many seconds it was."""
        assert canary.primary is not None
        for host in stage.hosts:
            while not is_well(host, canary.primary.raw, canary.token):
                self.oracle.settle()
                if time.monotonic() - since > _RECOVERY_GIVES_UP_SECONDS:
                    return time.monotonic() - since
                time.sleep(0.1)
        return time.monotonic() - since

    def _calm(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.oracle.settle()
            time.sleep(min(0.5, left))

    def _tell_of_line(self, promise: str, line: str) -> None:
        now = time.monotonic()
        self.oracle.broke(promise, line, now, now)


def _insist_on_account(customer: Customer) -> Account:
    """An account made before any fault."""
    deadline = time.monotonic() + _SIGNUP_SECONDS
    before = len(customer.accounts)
    while len(customer.accounts) == before:
        customer.sign_up(None)
        if time.monotonic() > deadline:
            raise RuntimeError("nobody can sign up")
    return customer.accounts[-1]


def _limited_accounts(stage: Stage, customer: Customer) -> list[Account]:
    """Accounts on the plan with the small limit."""
    for _ in range(_LIMITED_ACCOUNTS):
        account = _insist_on_account(customer)
        path = f"/api/v1/internal/accounts/{account.id}"
        answer = customer.ask("PATCH", path, {"plan": LIMITED_PLAN}, stage.service_key)
        if answer.status != 200:
            raise RuntimeError(str(answer))
        account.is_limited = True
        assert account.primary is not None
        account.primary.is_limited = True
    return customer.accounts


@contextmanager
def _loaded(doers: list[Callable[[], None]], oracle: Oracle, seed: str) -> Iterator[None]:
    """Let each do its thing again and again, in a thread of its own, with pauses."""
    over = threading.Event()

    def run(doer: Callable[[], None], rng: random.Random) -> None:
        while not over.wait(rng.uniform(*_PAUSE_SECONDS)):
            try:
                doer()
            except Exception:
                # An answer that none of the rules foresaw; the soak goes on and fails.
                now = time.monotonic()
                oracle.broke("every answer can be understood", traceback.format_exc(), now, now)

    threads = [
        threading.Thread(target=run, args=(doer, random.Random(f"{seed}/pauses {number}")))
        for number, doer in enumerate(doers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(_JOIN_SECONDS)


def table(soak: Soak) -> str:
    """What is printed at the end."""
    oracle = soak.oracle
    lines = [f"{'fault':40} {'times':>5} {'well after':>11} {'promised':>9}  answers by status"]
    for name in (NO_FAULT, *sorted(soak.scores)):
        score = soak.scores.get(name)
        said = ", ".join(f"{status}: {n}" for status, n in sorted(oracle.answers[name].items()))
        figures = (
            f"{score.times:5} {score.longest_recovery_seconds:9.1f} s {score.within_seconds:7.0f} s"
            if score
            else f"{'':5} {'':11} {'':9}"
        )
        lines.append(f"{name:40} {figures}  {said}")
    excess = oracle.slowest_health_seconds * 1000
    lines.append(f"\n/healthz, slowest, without the machine's own delay: {excess:.0f} ms")
    unforeseen = sum(
        oracle.fault_at(window.began, window.ended or window.began) == NO_FAULT
        for window in oracle.alone
    )
    lines.append(f"hosts counted alone without a fault: {unforeseen} times")
    for (promise, fault), times in sorted(oracle.counts.items()):
        lines.append(f"\nBROKEN {times} times: {promise} ({fault})")
        lines += [
            f"    {line}" for text in oracle.examples[promise, fault] for line in text.splitlines()
        ]
    lines.append(f"\npromises broken: {oracle.broken}")
    return "\n".join(lines)
