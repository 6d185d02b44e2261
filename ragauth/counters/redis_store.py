"""Counters that several hosts share in one Redis: one Lua script for each atomic step."""

import itertools
import secrets
from collections.abc import Callable, Collection, Sequence
from sys import maxsize
from typing import Any

from redis.exceptions import RedisError, ResponseError, TimeoutError

from ragauth.counters import redis_admission, redis_tallies
from ragauth.counters import redis_scripts as scripts
from ragauth.counters import redis_tally_scripts as tally_scripts
from ragauth.counters import redis_usage_scripts as usage_scripts
from ragauth.counters.interface import (
    DAY_MS,
    MINUTE_MS,
    SKEW_MS,
    Admission,
    Admitted,
    ChangedRow,
    Charge,
    CountersUnavailable,
    MeterRow,
    NewerCounters,
    Peek,
    Report,
    Reported,
    Settled,
    Shift,
    Shifted,
    Taken,
    Tally,
    UsageRow,
    Use,
    Window,
    bounded_name,
    only,
)
from ragauth.counters.late_answers import AnswerIsLate, LateAnswers
from ragauth.counters.periods import previous_month, settle_window
from ragauth.counters.redis_admission import ENVIRONMENT_ENDINGS, STORE_NAME
from ragauth.counters.redis_client import TIMEOUT_SECONDS, Call, RedisClient, open_client
from ragauth.counters.redis_faults import state_of
from ragauth.deadlines import WouldWait, current_deadline

#: The time-out in a thread that holds up all clients of a worker while it waits.
HASTY_TIMEOUT_SECONDS = 0.05
#: Rows in one script: Redis answers no other client while a script runs.
STEP = 500
RESUME_ONCE_IN_MS = DAY_MS


class RedisCounters:
    """`Counters` in Redis (5 or later, `maxmemory-policy noeviction`).

    Safe for threads and across forks, as `redis_client` is, which lists the kinds of Redis.

    The polling thread waits for HASTY_TIMEOUT_SECONDS only. Then the store raises WouldWait: a
    thread of the pool repeats the request, and waits for the answer to the same charge.
    """

    def __init__(
        self,
        url: str,
        installation: Callable[[], str],
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Connect at the first use; `url` is in the form of `redis_url`.

        A thread that may wait does so for `timeout_seconds` at most. `installation` returns the
        name of the installation. It is called at each use and may raise CountersUnavailable, so
        that nothing is ever counted under a wrong name.
        """
        self._installation = installation
        self._timeout_seconds = timeout_seconds
        self._client = open_client(url, timeout_seconds)
        self._hasty_client = open_client(url, HASTY_TIMEOUT_SECONDS)
        self._late = LateAnswers()
        # Each call begins with the next part of a Cluster, so that no part waits long behind busy
        # ones.
        self._turns = itertools.count()

    @property
    def source_id(self) -> str:
        """The source; in a Cluster each part has one of its own, and this is the first part's."""
        return self._source_of(self._all_names()[0])

    def admit(self, charge: Charge) -> Admission | None:
        return only(self.admit_all((charge,)))

    def admit_all(self, charges: Sequence[Charge]) -> list[Admitted]:
        """Each script is sent once, also if its request is handed over."""
        must_not_wait = _must_not_wait()
        admitted: list[Admitted] = [None] * len(charges)
        unsent: list[int] = []
        for place, charge in enumerate(charges):
            late = self._late.take(charge) if self._late and not must_not_wait else None
            if late is None:
                unsent.append(place)
                continue
            try:
                admitted[place] = redis_admission.answer(charge, late.wait(self._timeout_seconds))
            except ResponseError:
                # What was refused has not run; asked again it is refused again, or redirected.
                unsent.append(place)
            except RedisError as error:
                admitted[place] = _unavailable(error)
        if unsent:
            replies = self._send([charges[place] for place in unsent])
            for place, reply in zip(unsent, replies, strict=True):
                admitted[place] = self._admitted(charges[place], reply)
        return admitted

    def _send(self, charges: Sequence[Charge]) -> Sequence[Any]:
        """The replies to the scripts of charges, with an error where there is none."""
        try:
            calls = [
                Call(script, self._names_of(charge.account), arguments)
                for charge in charges
                for script, arguments in [redis_admission.question(charge)]
            ]
            return self._present_client().evaluate_all(calls)
        except (RedisError, CountersUnavailable) as error:
            return [error] * len(charges)

    def _admitted(self, charge: Charge, reply: Any) -> Admitted:
        if isinstance(reply, CountersUnavailable):
            return reply
        if not isinstance(reply, RedisError):
            return redis_admission.answer(charge, reply)
        must_not_wait = _must_not_wait()
        if isinstance(reply, AnswerIsLate):
            if must_not_wait:
                self._late.keep(charge, reply.answer)
            else:
                reply.answer.drop()
        if must_not_wait and isinstance(reply, TimeoutError):
            return WouldWait(has_waited=True)
        return _unavailable(reply)

    def seed_month(self, account: bytes, environment: int, month: int, base_units: int) -> None:
        self._run(
            scripts.SEED_MONTH,
            self._names_of(account),
            secrets.token_hex(16),
            account.hex() + ENVIRONMENT_ENDINGS[environment],
            month,
            base_units,
            previous_month(month),
        )

    def seed_tally(
        self, account: bytes, environment: int, tally: Tally, base: int, now_ms: int
    ) -> None:
        name = redis_tallies.tally_name(account.hex() + ENVIRONMENT_ENDINGS[environment], tally)
        new_source = secrets.token_hex(16)
        self._run(tally_scripts.SEED_TALLY, self._names_of(account), new_source, name, base)

    def shift_tally(
        self, account: bytes, environment: int, tally: Tally, shift: Shift, now_ms: int
    ) -> Shifted | None:
        name = redis_tallies.tally_name(account.hex() + ENVIRONMENT_ENDINGS[environment], tally)
        reply = self._run(tally_scripts.SHIFT_TALLY, self._names_of(account), name, *shift)
        return None if reply is None else Shifted(*reply)

    def forget_tallies(self, account: bytes, environment: int, tallies: Collection[Tally]) -> None:
        member = account.hex() + ENVIRONMENT_ENDINGS[environment]
        names = [redis_tallies.tally_name(member, tally) for tally in tallies]
        self._run(tally_scripts.FORGET_TALLIES, self._names_of(account), *names)

    def peek(
        self,
        account: bytes,
        environment: int,
        month: int,
        now_ms: int,
        tallies: tuple[Tally, ...] = (),
    ) -> Peek | None:
        member = account.hex() + ENVIRONMENT_ENDINGS[environment]
        text = redis_tallies.tallies_text(member, tallies)
        reply = self._run(tally_scripts.PEEK, self._names_of(account), member, month, now_ms, text)
        if reply is None:
            return None
        ends, used, month_used, told = reply
        ends, used = settle_window(ends, used, MINUTE_MS, now_ms)
        return Peek(used, ends, month_used, redis_tallies.counts_of(told))

    def report(self, report: Report) -> Reported | None:
        member = report.account.hex() + ENVIRONMENT_ENDINGS[report.environment]
        reply = self._run(
            tally_scripts.REPORT,
            self._names_of(report.account),
            report.account.hex().encode() + b":" + bounded_name(report.event),
            report.now_ms,
            report.at_ms,
            f"{report.day}:{member}:{report.key.hex()}",
            redis_tallies.tallies_text(member, report.tallies),
            redis_tallies.uses_text(report.uses),
        )
        if reply is None:
            return None
        is_new, *told = reply
        return Reported(not is_new, redis_tallies.counts_of(told[0]) if is_new else ())

    def settle(
        self, account: bytes, token: bytes, uses: tuple[Use, ...], now_ms: int, store: str
    ) -> Settled:
        if store != STORE_NAME:
            return Settled("unknown")
        name = redis_tallies.reservation_name(account, token)
        text = redis_tallies.uses_text(uses)
        reply = self._run(tally_scripts.SETTLE, self._names_of(account), name, now_ms, text)
        return redis_tallies.settled_of(reply, dict(uses))

    def hit(self, bucket: bytes, window_ms: int, now_ms: int, amount: int = 1) -> Window:
        names, name, longest = self._names_of(bucket), bounded_name(bucket), window_ms + SKEW_MS
        arguments = (name, window_ms, now_ms, amount, longest)
        count, ends, _is_taken = self._run(scripts.WINDOW, names, *arguments)
        return Window(count, ends)

    def take(self, bucket: bytes, window_ms: int, now_ms: int, amount: int, size: int) -> Taken:
        names, name, longest = self._names_of(bucket), bounded_name(bucket), window_ms + SKEW_MS
        arguments = (name, window_ms, now_ms, amount, longest, size)
        count, ends, is_taken = self._run(scripts.WINDOW, names, *arguments)
        return Taken(bool(is_taken), Window(count, ends))

    def read_window(self, bucket: bytes, window_ms: int, now_ms: int) -> Window:
        return self.hit(bucket, window_ms, now_ms, 0)

    def clear_window(self, bucket: bytes) -> None:
        self._run(scripts.CLEAR_WINDOW, self._names_of(bucket), bounded_name(bucket))

    def changed_usage(self, limit: int) -> list[ChangedRow]:
        names = self._all_names()
        turn = next(self._turns)
        first = turn % len(names)
        # Neither kind keeps the other from being saved.
        kinds = usage_scripts.KINDS[:: -1 if turn // len(names) % 2 else 1]
        rows: list[ChangedRow] = []
        for each in (*names[first:], *names[:first]):
            for kind in kinds:
                if len(rows) < limit:
                    rows += self._changed_of_kind(each, kind, limit - len(rows))
        return rows

    def _changed_of_kind(
        self, names: str, kind: usage_scripts.Kind, limit: int
    ) -> list[ChangedRow]:
        rows: dict[bytes, ChangedRow] = {}
        # In steps: Redis answers no other client while a script runs. Each goes on at the moment
        # that the one before has reached, and leaves out nothing by its place: others un-mark rows
        # meanwhile, and put back at the end what has changed again.
        moment, looked_at_then = b"-inf", 0
        while (step := min(STEP, limit - len(rows))) > 0:
            most = step + looked_at_then
            looked_at, latest, looked_at_then, found = self._run(
                kind.changed, names, secrets.token_hex(16), most, moment
            )
            rows |= {each[0]: _changed_row(each) for each in found}
            if looked_at < most:
                break
            moment = latest
        return list(rows.values())[:limit]

    def changed_usage_of(self, account: bytes, limit: int = maxsize) -> list[ChangedRow]:
        rows: list[ChangedRow] = []
        for kind in usage_scripts.KINDS:
            rows += self._changed_of_account(kind, account, limit - len(rows))
        return rows

    def _changed_of_account(
        self, kind: usage_scripts.Kind, account: bytes, limit: int
    ) -> list[ChangedRow]:
        names, begins = self._names_of(account), account.hex()
        rows: list[ChangedRow] = []
        after = f"[{begins}"
        while (step := min(STEP, limit - len(rows))) > 0:
            looked_at, last, found = self._run(kind.changed_of, names, begins, after, step)
            rows += map(_changed_row, found)
            if looked_at < step:
                break
            after = f"({last.decode()}"
        return rows

    def unsaved_use(self, account: bytes, environment: int, key: bytes) -> int | None:
        names, member = self._names_of(account), account.hex() + ENVIRONMENT_ENDINGS[environment]
        used_ms = self._run(usage_scripts.UNSAVED_USE, names, member, key.hex())
        return None if used_ms is None else int(used_ms)

    def usage_to_seed(self, account: bytes) -> list[ChangedRow]:
        return self.changed_usage_of(account)

    def usage_saved(self, rows: Sequence[ChangedRow]) -> None:
        by_script: dict[tuple[str, usage_scripts.Kind], list[ChangedRow]] = {}
        for row in rows:
            kind = usage_scripts.USAGE if isinstance(row, UsageRow) else usage_scripts.METERS
            by_script.setdefault((self._names_of(row.account), kind), []).append(row)
        for (names, kind), own in by_script.items():
            for start in range(0, len(own), STEP):
                arguments = map(_saved_arguments, own[start : start + STEP])
                self._run(kind.saved, names, *itertools.chain.from_iterable(arguments))

    def acquire_lease(self, name: bytes, holder: bytes, ttl_ms: int, now_ms: int) -> bool:
        arguments = (bounded_name(name), holder, ttl_ms, now_ms, SKEW_MS)
        return bool(self._run(scripts.LEASE, self._names_of(name), *arguments))

    def forget_account(self, account: bytes) -> None:
        members = [account.hex() + each for each in ENVIRONMENT_ENDINGS]
        self._run(scripts.FORGET_ACCOUNT, self._names_of(account), *members)

    def prune(self, now_ms: int, keep_days: int = 40) -> bool:
        """Nothing to do: every key has its own time to live."""
        return False

    def resume(self, outage: str) -> None:
        """Begin a new source after another store has counted: earlier months no longer count.

        This happens once for each `outage`, however many processes notice it. Usage that was not
        saved yet keeps its own source and is still saved.
        """
        self.start_anew()
        for names in self._all_names():
            self._run(scripts.RESUME, names, secrets.token_hex(16), RESUME_ONCE_IN_MS, outage)

    def start_anew(self) -> None:
        """Close idle connections: another server may be the primary by now."""
        for client in (self._client, self._hasty_client):
            client.start_anew()
        self._late.drop()

    def ping(self) -> None:
        """Raise `CountersUnavailable` unless Redis accepts writes, which a replica does not."""
        for names in self._all_names():
            self._source_of(names)

    def close(self) -> None:
        for client in (self._client, self._hasty_client):
            client.close()
        self._late.drop()

    def _source_of(self, names: str) -> str:
        return str(self._run(scripts.SOURCE, names, secrets.token_hex(16)).decode())

    def _all_names(self) -> Sequence[str]:
        return self._client.prefixes(self._installation())

    def _names_of(self, name: bytes) -> str:
        return self._client.prefix_of(self._installation(), name)

    def _present_client(self) -> RedisClient:
        return self._hasty_client if _must_not_wait() else self._client

    def _run(self, script: scripts.Script, names: str, *arguments: str | bytes | int) -> Any:
        """Run a script that may be sent again if the request is handed over."""
        try:
            return self._present_client().evaluate(Call(script, names, arguments))
        except TimeoutError as error:
            if isinstance(error, AnswerIsLate):
                error.answer.drop()
            if _must_not_wait():
                raise WouldWait(has_waited=True) from error
            raise _unavailable(error) from error
        except RedisError as error:
            raise _unavailable(error) from error


def _must_not_wait() -> bool:
    deadline = current_deadline.get()
    return deadline is not None and deadline.hands_over


def _unavailable(error: RedisError) -> CountersUnavailable:
    is_newer = str(error).startswith(scripts.OTHER_LAYOUT)
    kind = NewerCounters if is_newer else CountersUnavailable
    return kind(f"Redis: {error}", state_of(error))


def _changed_row(found: Sequence[bytes]) -> ChangedRow:
    member, *numbers, last_ms = found
    source, day, account, environment, key, *meter = member.decode().split(":")
    name = (bytes.fromhex(account), bytes.fromhex(key), int(environment), int(day))
    first, second = map(int, numbers)
    if meter:
        return MeterRow(*name, meter[0], first, second, source)
    return UsageRow(*name, first, second, int(last_ms), source)


def _saved_arguments(row: ChangedRow) -> tuple[str | int, ...]:
    """The member and the numbers that must not have changed."""
    account = f"{row.account.hex()}{ENVIRONMENT_ENDINGS[row.environment]}"
    member = f"{row.source_id}:{row.day}:{account}:{row.key.hex()}"
    if isinstance(row, UsageRow):
        return member, row.requests, row.units, row.last_used_ms
    return f"{member}:{row.meter}", row.amount, row.released
