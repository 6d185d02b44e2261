"""The check of an API key: a row of small questions, of which the first failure decides.

Order: form, known, revoked, expired, owner, agent, scope, address, origin, rate, quota.
"""

import ipaddress
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ragauth import clock, transaction
from ragauth.errors import (
    AccountSuspended,
    CredentialExpired,
    CredentialInvalid,
    CredentialMalformed,
    CredentialRevoked,
    InsufficientScope,
    IpNotAllowed,
    OriginNotAllowed,
    RagauthError,
    WrongAgent,
    WrongCredentialType,
)
from ragauth.extensions import settings
from ragauth.models import api_keys as rows
from ragauth.models.accounts import ACTIVE
from ragauth.models.api_keys import PUBLISHABLE, SECRET, SERVICE
from ragauth.security import key_format
from ragauth.security.scopes import MANAGE, granted_scopes

CUSTOMER_KINDS = frozenset({SECRET, PUBLISHABLE})
SERVICE_KINDS = frozenset({SERVICE})


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What the database says of a key and of its owner."""

    id: uuid.UUID
    account_id: uuid.UUID | None
    agent_id: uuid.UUID | None
    kind: str
    environment: str
    scopes: Sequence[str]
    allowed_ips: list[str] | None
    allowed_origins: list[str] | None
    is_enabled: bool
    expires_at: datetime | None
    revoked_at: datetime | None
    plan: str | None
    account_status: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """What the key is presented for. `cost` counts against the month's quota."""

    kinds: frozenset[str] = CUSTOMER_KINDS
    scope: str | None = None
    agent_id: uuid.UUID | None = None
    cost: int = 1
    client_ip: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class KeyVerdict:
    """The answer: allowed, or the failure that decided. `key` is None for an unknown one."""

    refusal: RagauthError | None
    key: KeyFacts | None

    def allowed_key(self) -> KeyFacts:
        """The key, or the refusal raised."""
        if self.refusal is not None or self.key is None:
            raise self.refusal or CredentialInvalid()
        return self.key


def check(*, presented_key: str, question: Question) -> KeyVerdict:
    """Whether a key may do what is asked."""
    if not key_format.is_well_formed(presented_key, settings().key_brand):
        return KeyVerdict(CredentialMalformed("The API key is malformed"), None)
    key = _find(presented_key)
    if key is None:
        return KeyVerdict(CredentialInvalid("The API key is not valid"), None)
    return KeyVerdict(next(_refusals(key, question), None), key)


def _find(presented_key: str) -> KeyFacts | None:
    with transaction.read_only():
        row = rows.find_for_check(key_format.digest_key(presented_key))
    if row is None:
        return None
    return KeyFacts(
        id=row.id,
        account_id=row.account_id,
        agent_id=row.agent_id,
        kind=row.kind,
        environment=row.environment,
        scopes=granted_scopes(row.scopes),
        allowed_ips=row.allowed_ips,
        allowed_origins=row.allowed_origins,
        is_enabled=row.is_enabled,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        plan=row.plan,
        account_status=row.status,
    )


def _refusals(key: KeyFacts, question: Question) -> Iterator[RagauthError]:
    """Every reason to refuse, in the order in which they are told."""
    if key.revoked_at is not None or not key.is_enabled:
        yield CredentialRevoked("The API key has been revoked")
    if key.expires_at is not None and key.expires_at <= clock.now():
        yield CredentialExpired(key.expires_at, "The API key has expired")
    if key.kind not in question.kinds:
        yield WrongCredentialType("This kind of API key is not accepted here")
    if key.account_id is not None and key.account_status != ACTIVE:
        yield AccountSuspended()
    yield from _agent_refusals(key, question)
    if question.scope is not None and question.scope not in key.scopes:
        yield InsufficientScope(question.scope)
    if key.allowed_ips is not None and not is_within(question.client_ip, key.allowed_ips):
        yield IpNotAllowed()
    if key.kind == PUBLISHABLE and not _is_listed(question.origin, key.allowed_origins):
        yield OriginNotAllowed()


def _agent_refusals(key: KeyFacts, question: Question) -> Iterator[RagauthError]:
    if key.agent_id is None:
        # A key of the whole account opens each of the account's agents and no other's.
        if question.agent_id is not None and not _owns_agent(key, question.agent_id):
            yield WrongAgent()
    elif question.agent_id is None:
        if question.scope == MANAGE:
            yield WrongAgent()
    elif question.agent_id != key.agent_id:
        yield WrongAgent()


def _owns_agent(key: KeyFacts, agent_id: uuid.UUID) -> bool:
    if key.account_id is None:
        return False
    with transaction.read_only():
        return rows.owns_agent(key.account_id, agent_id)


def is_within(address: str | None, networks: Sequence[str]) -> bool:
    """Whether an address lies in one of the networks; one that is unknown does not."""
    try:
        presented = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(presented, ipaddress.IPv6Address) and presented.ipv4_mapped is not None:
        presented = presented.ipv4_mapped
    return any(presented in ipaddress.ip_network(network) for network in networks)


def _is_listed(origin: str | None, allowed_origins: Sequence[str] | None) -> bool:
    return origin is not None and origin.lower() in (allowed_origins or ())
