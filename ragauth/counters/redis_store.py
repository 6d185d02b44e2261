"""Counters that several hosts share in one Redis: one Lua script for each atomic step."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Literal

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from ragauth.counters import redis_scripts as scripts
from ragauth.counters.interface import (
    MINUTE_MS,
    PLAUSIBLE_LENGTHS,
    Admission,
    CountersUnavailable,
    NewerCounters,
    Peek,
    UsageRow,
    Window,
    bounded_name,
    previous_month,
)

TIMEOUT_SECONDS = 0.25
#: Rows in one script: Redis answers nobody else while it runs.
STEP = 500
RESUME_ONCE_IN_MS = 10_000

_LONGEST_MINUTE_MS = MINUTE_MS * PLAUSIBLE_LENGTHS
_REFUSALS: tuple[Literal["minute", "month"] | None, ...] = (None, "minute", "month")
_ENVIRONMENTS = (":0", ":1")


class RedisCounters:
    """`Counters` in Redis (5 or later, `maxmemory-policy noeviction`).

    Safe for threads and across forks: redis-py takes a connection for each call and leaves those
    of a parent process alone. An answer is waited for at most `TIMEOUT_SECONDS`, and never asked
    for twice: a step may have been done although its answer was lost.
    """

    def __init__(self, url: str, installation: Callable[[], str]) -> None:
        """Connect at the first use; a malformed `url` raises ValueError.

        `installation` tells whose counters these are. It is asked at each use and may raise
        CountersUnavailable: nothing is ever counted under another's name.
        """
        self._installation = installation
        self._redis: Any = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    @property
    def source_id(self) -> str:
        return str(self._run(scripts.SOURCE, secrets.token_hex(16)).decode())

    def admit(
        self,
        account: bytes,
        key: bytes,
        environment: int,
        minute_limit: int,
        month_limit: int,
        cost: int,
        month: int,
        day: int,
        now_ms: int,
    ) -> Admission | None:
        member = account.hex() + _ENVIRONMENTS[environment]
        reply = self._run(
            scripts.ADMIT,
            member,
            f"{day}:{member}:{key.hex()}",
            minute_limit,
            month_limit,
            cost,
            month,
            now_ms,
            now_ms + MINUTE_MS,
            _LONGEST_MINUTE_MS,
        )
        if reply is None:
            return None
        verdict, minute_used, ends, month_used = reply
        return Admission(_REFUSALS[verdict], minute_used, ends, month_used)

    def seed_month(self, account: bytes, environment: int, month: int, base_units: int) -> None:
        self._run(
            scripts.SEED_MONTH,
            secrets.token_hex(16),
            account.hex() + _ENVIRONMENTS[environment],
            month,
            base_units,
            previous_month(month),
        )

    def peek(self, account: bytes, environment: int, month: int, now_ms: int) -> Peek | None:
        member = account.hex() + _ENVIRONMENTS[environment]
        ends, used, month_used = self._run(scripts.PEEK, member, month)
        if month_used is None:
            return None
        if ends is None or not 0 < int(ends) - now_ms <= _LONGEST_MINUTE_MS:
            return Peek(0, now_ms + MINUTE_MS, int(month_used))
        return Peek(int(used), int(ends), int(month_used))

    def hit(self, bucket: bytes, window_ms: int, now_ms: int, amount: int = 1) -> Window:
        name, longest = bounded_name(bucket), window_ms * PLAUSIBLE_LENGTHS
        return Window(*self._run(scripts.WINDOW, name, window_ms, now_ms, amount, longest))

    def read_window(self, bucket: bytes, window_ms: int, now_ms: int) -> Window:
        return self.hit(bucket, window_ms, now_ms, 0)

    def clear_window(self, bucket: bytes) -> None:
        self._command("DEL", self._ours().encode() + b"window:" + bounded_name(bucket))

    def changed_usage(self, limit: int) -> list[UsageRow]:
        found = self._run(scripts.CHANGED_USAGE, secrets.token_hex(16), limit)
        rows = []
        for member, requests, units, last_used_ms in found:
            source, day, account, environment, key = member.decode().split(":")
            rows.append(
                UsageRow(
                    account=bytes.fromhex(account),
                    key=bytes.fromhex(key),
                    environment=int(environment),
                    day=int(day),
                    requests=int(requests),
                    units=int(units),
                    last_used_ms=int(last_used_ms),
                    source_id=source,
                )
            )
        return rows

    def usage_saved(self, rows: Sequence[UsageRow]) -> None:
        for start in range(0, len(rows), STEP):
            arguments: list[str | int] = []
            for row in rows[start : start + STEP]:
                account = f"{row.account.hex()}{_ENVIRONMENTS[row.environment]}"
                arguments += (
                    f"{row.source_id}:{row.day}:{account}:{row.key.hex()}",
                    row.requests,
                    row.units,
                    row.last_used_ms,
                )
            self._run(scripts.USAGE_SAVED, *arguments)

    def acquire_lease(self, name: bytes, holder: bytes, ttl_ms: int, now_ms: int) -> bool:
        return bool(self._run(scripts.LEASE, bounded_name(name), holder, ttl_ms, now_ms))

    def forget_account(self, account: bytes) -> None:
        self._run(scripts.FORGET_ACCOUNT, *(account.hex() + each for each in _ENVIRONMENTS))

    def prune(self, now_ms: int, keep_days: int = 40) -> bool:
        """Nothing to do: every key has its own time to live."""
        return False

    def resume(self) -> None:
        """Distrust every month after a time in which another store counted.

        This begins a new source, at most once in `RESUME_ONCE_IN_MS` however many processes
        notice; usage that was not saved yet keeps its own source and is saved all the same.
        """
        self._run(scripts.RESUME, secrets.token_hex(16), RESUME_ONCE_IN_MS)

    def ping(self) -> None:
        self._command("PING")

    def close(self) -> None:
        self._redis.close()

    def _ours(self) -> str:
        return f"ragauth:{self._installation()}:"

    def _run(self, script: scripts.Script, *arguments: str | bytes | int) -> Any:
        ours = self._ours()
        try:
            try:
                return self._redis.evalsha(script.sha, 1, ours, *arguments)
            except NoScriptError:
                return self._redis.eval(script.text, 1, ours, *arguments)
        except RedisError as error:
            is_newer = str(error).startswith(scripts.OTHER_LAYOUT)
            kind = NewerCounters if is_newer else CountersUnavailable
            raise kind(f"Redis: {error}") from error

    def _command(self, *arguments: str | bytes) -> Any:
        try:
            return self._redis.execute_command(*arguments)
        except RedisError as error:
            raise CountersUnavailable(f"Redis: {error}") from error
