"""Rate limits and quotas: decided by the counters, exactly, for all workers at once."""

import logging
import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from ragauth import clock
from ragauth.counters import (
    EVENT_KEPT_MS,
    Admitted,
    Charge,
    Counters,
    CountersUnavailable,
    Report,
    Reserve,
    Tally,
    Use,
)
from ragauth.deadlines import WouldWait
from ragauth.errors import ExternalServiceUnavailable, RagauthError
from ragauth.extensions import current
from ragauth.models.counted_keys import CountedKey
from ragauth.models.reads.keys import KeyFacts
from ragauth.models.reads.usage import UsageLookup
from ragauth.policy import MONTH, REQUESTS, Limit, Policy
from ragauth.security.key_format import TEST
from ragauth.services.limits.applied import (
    NO_LIMIT,
    AppliedLimit,
    AppliedLimits,
    compile_limits,
)
from ragauth.services.limits.refusals import (
    refusal_of,
    refusal_of_test_keys,
    seconds_up,
)
from ragauth.services.limits.reservation_ids import encode_reservation
from ragauth.services.limits.seeds import INDEX_OF, Seeder
from ragauth.services.limits.spans import DAY_MS, Calendar, Span, span_of
from ragauth.services.limits.state import LimitState, standings
from ragauth.services.limits.takings import (
    NO_AMOUNTS,
    Amounts,
    Owners,
    encode_uses,
    find_told,
    tallies_of,
)

log = logging.getLogger("ragauth")

# How many combinations of a plan with limits of an account and of a key are kept compiled.
_REMEMBERED = 1024
# Half the cost of calling LimitState(…) and Charge(…), whose __new__ is written in Python.
_new_tuple = tuple.__new__


class Terms(NamedTuple):
    """From what the limits of checks are compiled; texts as for `compile_limits`."""

    plan_name: str
    account_limits: str | None
    key_limits: str | None = None


class Wanted(NamedTuple):
    """A request to count `cost` units for, and what it takes beside them."""

    account_id: bytes
    key: KeyFacts
    cost: int
    amounts: Amounts | None = None


#: A refusal or None, and where the limits stand; or why it was not decided, in its place.
Decision: TypeAlias = tuple[RagauthError | None, LimitState] | Exception | WouldWait


class _Charged(NamedTuple):
    """A charge, and what its answer is made of; `place` is that in the list that is decided."""

    place: int
    applied: AppliedLimits
    span: Span
    told: tuple[AppliedLimit, ...]
    charge: Charge


class UsedLimit(NamedTuple):
    """A limit, and how much of it is used."""

    limit: Limit
    used: int


class Limits:
    """The limits of all accounts and keys. Live and test keys are counted apart."""

    def __init__(
        self, counters: Counters, policy: Policy, seeds: UsageLookup, reservation_seconds: int
    ) -> None:
        self.counters = counters
        self._policy = policy
        self.seeder = Seeder(counters, seeds)
        self._reservation_ms = reservation_seconds * 1000
        self._calendar = Calendar()
        # What applies is compiled once for each plan and pair of texts: a check whose limits are
        # its plan's alone costs one look-up.
        self._applied = lru_cache(maxsize=_REMEMBERED)(self._compile)

    def admit_all(self, wanted: Sequence[Wanted]) -> list[Decision]:
        """For each: count one request, or refuse it and count nothing.

        An error stands in the place of one that was not decided.
        """
        decisions: list[Any] = [None] * len(wanted)
        charged: list[_Charged] = []
        for place, want in enumerate(wanted):
            try:
                if (one := self._charge(place, want)) is None:
                    decisions[place] = (
                        refusal_of_test_keys(),
                        self.peek(want.account_id, want.key, want.amounts),
                    )
                else:
                    charged.append(one)
            except (Exception, WouldWait) as error:
                decisions[place] = error
        if charged:
            admitted: Sequence[Any]
            try:
                admitted = self.counters.admit_all([one.charge for one in charged])
            except (Exception, WouldWait) as error:
                # What needs no counter has its decision.
                admitted = [error] * len(charged)
            for one, answer in zip(charged, admitted, strict=True):
                try:
                    decisions[one.place] = self._decide(one, answer)
                except (Exception, WouldWait) as error:
                    decisions[one.place] = error
        return decisions

    def _charge(self, place: int, wanted: Wanted) -> _Charged | None:
        """What the counters are to be asked; None if the key's environment is closed."""
        account_id, key, cost, amounts = wanted
        applied = self._applied(key.plan, key.environment, key.account_limits, key.limits)
        if applied.is_closed:
            return None
        now_ms = clock.now_ns() // 1_000_000
        span = self._calendar.span_at(now_ms)
        told = applied.others
        tallies: tuple[Tally, ...] = ()
        uses: tuple[Use, ...] = ()
        reserve = None
        if told or amounts is not None:
            # The usual check, with the account's requests a minute and a month alone, skips this.
            asked = amounts or NO_AMOUNTS
            told, uses = find_told(applied, asked.names), asked.uses
            tallies = tallies_of(
                told,
                Owners(account_id, key.counted_as or key.id),
                span,
                cost=cost,
                of_one=1,
                by_meter=asked.by_meter,
                costs=asked.costs,
            )
            if asked.reserved:
                ends_at_ms = now_ms + self._reservation_ms
                reserve = Reserve(secrets.token_bytes(16), ends_at_ms, asked.reserved)
        a_minute, a_month = applied.requests_per_minute, applied.requests_per_month
        charge = _new_tuple(
            Charge,
            (
                account_id,
                key.id,
                INDEX_OF[key.environment],
                NO_LIMIT if a_minute is None else a_minute,
                NO_LIMIT if a_month is None else a_month,
                cost,
                span.month,
                span.day,
                now_ms,
                tallies,
                uses,
                reserve,
            ),
        )
        return _new_tuple(_Charged, (place, applied, span, told, charge))

    def _decide(
        self, charged: _Charged, admission: Admitted
    ) -> tuple[RagauthError | None, LimitState]:
        _, applied, span, told, charge = charged
        now_ms, tallies = charge.now_ms, charge.tallies
        try:
            while admission is None:
                self.seeder.seed(charge.account, charge.environment, span.month, told, tallies)
                admission = self.counters.admit(charge)
            if isinstance(admission, BaseException):
                raise admission
        except CountersUnavailable as error:
            raise unavailable(error) from error
        reserve = charge.reserve
        state = _new_tuple(
            LimitState,
            (
                applied,
                admission.minute_used,
                seconds_up(admission.minute_resets_at_ms - now_ms),
                admission.month_used,
                seconds_up(span.month_ends_ms - now_ms),
                span,
                now_ms,
                told,
                admission.counts,
                None
                if reserve is None or admission.refused_by is not None
                else encode_reservation(charge.account, admission.token, admission.store),
            ),
        )
        if admission.refused_by is None:
            return None, state
        found = standings(state, admission.minute_resets_at_ms, tallies, charge.cost)
        return refusal_of(found, now_ms), state

    def peek(self, account_id: bytes, key: KeyFacts, amounts: Amounts | None = None) -> LimitState:
        """The usage so far of what would apply, without counting a request.

        Raises ExternalServiceUnavailable.
        """
        applied = self._applied(key.plan, key.environment, key.account_limits, key.limits)
        owners = Owners(account_id, key.counted_as or key.id)
        told = find_told(applied, (amounts or NO_AMOUNTS).names)
        return self._peek(applied, told, owners, key.environment)

    def peek_at_all(
        self,
        owners: Owners,
        environment: str,
        plan_name: str,
        account_limits: str | None,
        key_limits: str | None = None,
    ) -> LimitState:
        """The same with the limits that a check must name; texts as for `compile_limits`."""
        applied = self._applied(plan_name, environment, account_limits, key_limits)
        return self._peek(applied, applied.others + applied.named, owners, environment)

    def peek_in_calendar(
        self, account_id: bytes, environment: str, plan_name: str, account_limits: str | None
    ) -> tuple[Span, list[UsedLimit]]:
        """The account's limits of the present day and month, with what is used of each.

        Those of size 0 are left out. Asks no counter if there are none. Raises
        ExternalServiceUnavailable.
        """
        applied = self._applied(plan_name, environment, account_limits, None)
        told = tuple(one for one in applied.others if one.parts.period and one.limit.size)
        a_month = applied.requests_per_month
        if not told and not a_month:
            return self._calendar.span_at(clock.now_ns() // 1_000_000), []
        state = self._peek(applied, told, Owners(account_id, account_id), environment)
        found = [
            UsedLimit(one.limit, count.used) for one, count in zip(told, state.counts, strict=True)
        ]
        if a_month:
            found.append(UsedLimit(Limit(REQUESTS, MONTH, a_month), state.month_used))
        return state.span, found

    def report(self, key: CountedKey, event: bytes, uses: Mapping[str, int], at: datetime) -> bool:
        """Count what a key used at a time, past all limits; False if the event was counted before.

        Raises ExternalServiceUnavailable.
        """
        applied = self._applied(key.plan, key.environment, key.account_limits, key.limits)
        told = tuple(one for one in applied.others if one.limit.meter in uses)
        now_ms, at_ms = clock.now_ns() // 1_000_000, int(at.timestamp() * 1000)
        span = span_of(at_ms)
        owners = Owners(key.account_id.bytes, (key.counted_as or key.id).bytes)
        report = Report(
            account=owners.account,
            key=key.id.bytes,
            environment=INDEX_OF[key.environment],
            day=span.day,
            event=event,
            uses=encode_uses(uses),
            tallies=tallies_of(told, owners, span, by_meter=uses),
            now_ms=now_ms,
            at_ms=at_ms,
        )
        try:
            while (reported := self.counters.report(report)) is None:
                self.seeder.seed(
                    owners.account, report.environment, span.month, told, report.tallies
                )
        except CountersUnavailable as error:
            raise unavailable(error) from error
        return not reported.was_known

    def begin_new(self, owners: Owners, environment: str, before: Terms, after: Terms) -> None:
        """Let limits that `before` did not have begin anew, after the commit of `after`.

        One that held at an earlier time has missed what was used since. If the counters do not
        answer, it goes on from there.
        """
        old, new = (self._applied(terms[0], environment, *terms[1:]) for terms in (before, after))
        known = {one.parts[:2] for one in old.others + old.named}
        begun = tuple(one for one in new.others + new.named if one.parts[:2] not in known)
        if not begun:
            return
        now_ms = clock.now_ns() // 1_000_000
        # Reports count in the periods of the last days, too.
        spans = [span_of(now_ms - ago_ms) for ago_ms in range(0, EVENT_KEPT_MS + 1, DAY_MS)]
        tallies = {tally for span in spans for tally in tallies_of(begun, owners, span)}
        try:
            self.counters.forget_tallies(owners.account, INDEX_OF[environment], tallies)
        except CountersUnavailable as error:
            log.warning("the counts of an earlier limit go on", extra={"cause": str(error)})

    def forget_account(self, account_id: uuid.UUID) -> None:
        """Drop a deleted account's counts, after the commit that deleted it.

        The usage of its keys stays and is still saved, because the operator bills by it. If the
        counters do not answer, the record stays until it is stale.
        """
        try:
            self.counters.forget_account(account_id.bytes)
        except CountersUnavailable as error:
            log.warning(
                "the limits of a deleted account were not dropped", extra={"cause": str(error)}
            )

    def _peek(
        self,
        applied: AppliedLimits,
        told: tuple[AppliedLimit, ...],
        owners: Owners,
        environment: str,
    ) -> LimitState:
        now_ms = clock.now_ns() // 1_000_000
        span = self._calendar.span_at(now_ms)
        tallies = tallies_of(told, owners, span)
        index, month, look = INDEX_OF[environment], span.month, self.counters.peek
        try:
            while (peek := look(owners.account, index, month, now_ms, tallies)) is None:
                self.seeder.seed(owners.account, index, month, told, tallies)
        except CountersUnavailable as error:
            raise unavailable(error) from error
        return LimitState(
            applied,
            peek.minute_used,
            seconds_up(peek.minute_resets_at_ms - now_ms),
            peek.month_used,
            seconds_up(span.month_ends_ms - now_ms),
            span,
            now_ms,
            told,
            peek.counts,
        )

    def _compile(
        self,
        plan_name: str | None,
        environment: str,
        account_limits: str | None,
        key_limits: str | None,
    ) -> AppliedLimits:
        is_closed = environment == TEST and not self._policy.plan(plan_name).has_test_keys
        return compile_limits(
            self._policy, plan_name, account_limits, key_limits, is_closed=is_closed
        )


def unavailable(error: CountersUnavailable) -> ExternalServiceUnavailable:
    log.error("the counters did not answer", extra={"cause": str(error)})
    return ExternalServiceUnavailable()


def current_limits() -> Limits:
    """The limits of the running application."""
    limits: Limits = current().limits
    return limits
