"""The check of an API key: a sequence of tests, of which the first failure decides.

Order: form, known, revoked, expired, kind, owner, agent, scope, address, origin, rate, quota.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from ragauth import clock
from ragauth.deadlines import WouldWait
from ragauth.errors import (
    AccountSuspended,
    AuthenticationFailed,
    CredentialExpired,
    CredentialInvalid,
    CredentialMalformed,
    CredentialRevoked,
    ExternalServiceUnavailable,
    InsufficientScope,
    IpNotAllowed,
    OriginNotAllowed,
    RagauthError,
    ScopeQueryNotMet,
    WrongAgent,
    WrongCredentialType,
)
from ragauth.extensions import current
from ragauth.metrics import ALLOWED, CHECKS, UNAVAILABLE
from ragauth.models.accounts import ACTIVE
from ragauth.models.api_keys import PUBLISHABLE, SECRET, SERVICE
from ragauth.models.reads.keys import KeyFacts, KeyLookup
from ragauth.policy import Policy
from ragauth.security import key_format
from ragauth.security.addresses import is_within
from ragauth.security.key_faults import explain_no_key
from ragauth.security.origins import find_canonical_origin
from ragauth.security.scope_queries import ScopeQuery
from ragauth.services.limits.limits import Limits, Wanted
from ragauth.services.limits.state import LimitState
from ragauth.services.limits.takings import Amounts

# Half the cost of calling a NamedTuple, whose __new__ is written in Python.
_new_tuple = tuple.__new__

CUSTOMER_KINDS = frozenset({SECRET, PUBLISHABLE})
SERVICE_KINDS = frozenset({SERVICE})
ANY_KIND = CUSTOMER_KINDS | SERVICE_KINDS

# Indexed by whether the key is a service key.
_WRONG_KIND = (
    "An account's API key is not accepted here; send a service's",
    "A service's API key is not accepted here; send an account's",
)
_NOT_WITHOUT_AGENT = "The key is bound to an agent and may not manage the whole account"
_NO_SUCH_AGENT = "The key's account has no such agent"


class Question(NamedTuple):
    """What a key is presented for.

    All of the `scopes` are needed, and what `scope_query` asks for. `agent_id` is the 16 bytes of a
    UUID. A `client_ip` that cannot be parsed counts as no address, which a key with a list of
    addresses refuses. `cost` is counted against the month's quota; None asks without counting.
    `amounts` are what the check takes beside its cost.
    """

    kinds: frozenset[str] = CUSTOMER_KINDS
    scopes: tuple[str, ...] = ()
    agent_id: bytes | None = None
    cost: int | None = None
    client_ip: str | None = None
    origin: str | None = None
    amounts: Amounts | None = None
    scope_query: ScopeQuery | None = None


class KeyVerdict(NamedTuple):
    """The answer: allowed, or the failure that decided.

    `key` is None for an unknown key; `limits` is None if no account's limits apply.
    """

    refusal: RagauthError | None
    key: KeyFacts | None = None
    limits: LimitState | None = None

    @property
    def name(self) -> str:
        """The verdict's name in the metrics: allowed, or the reason of the refusal."""
        if self.refusal is None:
            return ALLOWED
        return getattr(self.refusal, "reason", None) or self.refusal.code.lower()

    def allowed_key(self) -> KeyFacts:
        """The allowed key; raises the refusal if there is one."""
        if self.refusal is not None or self.key is None:
            raise self.refusal or CredentialInvalid()
        return self.key


#: A verdict; or why there is none, in its place.
Outcome: TypeAlias = KeyVerdict | Exception | WouldWait
#: What the database has of a key, None for an unknown one; or why it was not read.
Found: TypeAlias = KeyFacts | Exception | WouldWait | None


@dataclass(frozen=True, slots=True)
class KeyChecker:
    """Answers questions about keys. It asks the database each time and caches nothing."""

    lookup: KeyLookup
    limits: Limits
    brand: str
    policy: Policy

    def check(self, presented_key: str, question: Question) -> KeyVerdict:
        """Whether a key may do what is asked; an allowed question with a cost is counted.

        Raises ExternalServiceUnavailable when the database or the counters are out of reach.
        """
        (outcome,) = self.check_all(((presented_key, question),))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def check_all(self, asked: Sequence[tuple[str, Question]]) -> list[Outcome]:
        """`check` for several requests that have arrived, at less cost than one by one.

        They share a read of the database, which begins now, and a step of the counters. An error
        stands in the place of a verdict.
        """
        began_at = time.perf_counter()
        try:
            outcomes = self._decide_all(asked)
        except (Exception, WouldWait) as error:
            outcomes = [error] * len(asked)
        seconds = time.perf_counter() - began_at
        for (_, question), outcome in zip(asked, outcomes, strict=True):
            # Another thread asks the same again where this one would wait.
            if question.cost is not None and not isinstance(outcome, WouldWait):
                name = outcome.name if isinstance(outcome, KeyVerdict) else UNAVAILABLE
                CHECKS.observe(seconds, name)
        return outcomes

    def _decide_all(self, asked: Sequence[tuple[str, Question]]) -> list[Outcome]:
        found = self._find_all([key for key, _ in asked])
        outcomes: list[Outcome] = []
        places: list[int] = []
        wanted: list[Wanted] = []
        for presented_key, question in asked:
            try:
                outcome = self._judge(presented_key, question, found)
            except (Exception, WouldWait) as error:
                # A fault in one question must not refuse the others.
                outcomes.append(error)
                continue
            if isinstance(outcome, Wanted):
                places.append(len(outcomes))
                wanted.append(outcome)
            outcomes.append(outcome)  # type: ignore[arg-type]
        if wanted:
            decisions = self.limits.admit_all(wanted)
            for place, want, decision in zip(places, wanted, decisions, strict=True):
                outcomes[place] = (
                    decision
                    if isinstance(decision, BaseException)
                    else _new_tuple(KeyVerdict, (decision[0], want.key, decision[1]))
                )
        return outcomes

    def _find_all(self, presented_keys: Sequence[str]) -> Mapping[str, Found]:
        """What the database has of each key that has a key's form; the others are left out.

        An error stands in the place of what could not be read. What has no form needs no read, so
        it is refused also while the database is away.
        """
        formed: list[str] = []
        foreign: list[str] = []
        for key in presented_keys:
            if key_format.is_well_formed(key, self.brand):
                formed.append(key)
            elif key_format.is_foreign(key, self.brand):
                # It can be a key that was imported from another system.
                foreign.append(key)
        try:
            if foreign and not self.lookup.has_imported_keys():
                foreign = []
            return self.lookup.find_all([*formed, *foreign])
        except (ExternalServiceUnavailable, WouldWait) as error:
            return dict.fromkeys([*formed, *foreign], error)
        except Exception as error:
            keys = {*formed, *foreign}
            if len(keys) == 1:
                return dict.fromkeys(keys, error)
            # A row that cannot be read spoils the read of all: ask for each alone.
            return {key: found for one in keys for key, found in self._find_all((one,)).items()}

    def _judge(
        self, presented_key: str, question: Question, found: Mapping[str, Found]
    ) -> KeyVerdict | Wanted:
        """The verdict, or what is to be counted first; a key that is not `found` has no form."""
        if presented_key not in found:
            return KeyVerdict(CredentialMalformed(self._explain(presented_key, "is malformed")))
        key = found[presented_key]
        if isinstance(key, BaseException):
            raise key
        if key is None:
            return KeyVerdict(CredentialInvalid(self._explain(presented_key, "is not valid")))
        refusal = self._find_refusal(key, question)
        account_id, cost = key.account_id, question.cost
        if account_id is None or isinstance(refusal, AuthenticationFailed):
            return KeyVerdict(refusal, key)
        if refusal is None and cost is not None:
            return _new_tuple(Wanted, (account_id, key, cost, question.amounts))
        return KeyVerdict(refusal, key, self.limits.peek(account_id, key, question.amounts))

    def _explain(self, presented_key: str, fault: str) -> str:
        """Why an unknown key is refused, in words for the caller, as far as its form tells."""
        why = explain_no_key(presented_key, self.brand)
        return f"The API key {fault}" if why is None else f"The API key {fault}: {why}"

    def _find_refusal(self, key: KeyFacts, question: Question) -> RagauthError | None:
        """The first reason to refuse."""
        if key.is_revoked:
            return CredentialRevoked("The API key has been revoked")
        if not key.is_enabled:
            return CredentialRevoked("The API key is switched off")
        if key.expires_at is not None and key.expires_at <= clock.now():
            return CredentialExpired(key.expires_at, "The API key has expired")
        if key.kind not in question.kinds:
            return WrongCredentialType(_WRONG_KIND[key.kind == SERVICE])
        if key.account_id is not None and key.account_status != ACTIVE:
            return AccountSuspended()
        wrong_agent = self._find_wrong_agent(key, question)
        if wrong_agent is not None:
            return WrongAgent(wrong_agent)
        if question.scopes:
            held = scopes_of(key, self.policy)
            for scope in question.scopes:
                if scope not in held:
                    return InsufficientScope(scope)
        if question.scope_query is not None:
            refusal = self._find_unmet(key, question, question.scope_query)
            if refusal is not None:
                return refusal
        if key.allowed_ips is not None and not is_within(question.client_ip, key.allowed_ips):
            return IpNotAllowed()
        if key.kind == PUBLISHABLE and not _is_listed(question.origin, key.allowed_origins):
            return OriginNotAllowed()
        return None

    def _find_unmet(
        self, key: KeyFacts, question: Question, query: ScopeQuery
    ) -> RagauthError | None:
        """Why a query is not met: for want of scopes, or of an agent in the question."""
        held = scopes_of(key, self.policy)
        if not query.is_met_by(held):
            return ScopeQueryNotMet(query.text)
        if key.agent_id is None or question.agent_id is not None:
            return None
        # As where scopes are named one by one: without an agent those of the whole account count
        # for nothing.
        of_agent = [scope for scope in held if not self.policy.is_account_wide(scope)]
        return None if query.is_met_by(of_agent) else WrongAgent(_NOT_WITHOUT_AGENT)

    def _find_wrong_agent(self, key: KeyFacts, question: Question) -> str | None:
        """Why the key may not be used for the agent in the question, or without an agent."""
        if key.agent_id is not None:
            if question.agent_id is None:
                is_account_wide = any(map(self.policy.is_account_wide, question.scopes))
                return _NOT_WITHOUT_AGENT if is_account_wide else None
            return None if question.agent_id == key.agent_id else WrongAgent.message
        if question.agent_id is None:
            return None
        # A key without an agent of its own works for all agents of its account, and for no others.
        if key.account_id is not None and self.lookup.owns_agent(key.account_id, question.agent_id):
            return None
        return _NO_SUCH_AGENT


def current_checker() -> KeyChecker:
    """The checker of the running application."""
    checker: KeyChecker = current().key_checker
    return checker


def scopes_of(key: KeyFacts, policy: Policy) -> tuple[str, ...]:
    """What the key may be used for; a key without a list of scopes has all usual ones."""
    return counting_scopes(policy, key.scopes, key.kind, key.is_managed)


def features_of(plan: str | None, policy: Policy) -> tuple[str, ...]:
    """The features of an account's plan; a service's own key has no plan, and none."""
    return () if plan is None else policy.plan(plan).features


@lru_cache(maxsize=1024)
def counting_scopes(
    policy: Policy, listed: str | None, kind: str, is_managed: bool
) -> tuple[str, ...]:
    if kind == SERVICE:
        # A service's scopes are the contract's, not the policy's.
        return tuple((listed or "").split())
    names = policy.usual_scopes if listed is None else listed.split()
    return policy.counting(names, is_publishable=kind == PUBLISHABLE, is_managed=is_managed)


def _is_listed(origin: str | None, allowed_origins: str | None) -> bool:
    """Whether an origin, in the form in which browsers send it, is one of those listed."""
    return origin is not None and origin.lower() in _parse_origins(allowed_origins or "")


@lru_cache(maxsize=1024)
def _parse_origins(allowed_origins: str) -> frozenset[str]:
    """Parse the origins into the form that browsers send; older rows may hold other spellings."""
    return frozenset(filter(None, map(find_canonical_origin, allowed_origins.split())))
