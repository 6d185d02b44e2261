"""Moving a managed key to another account: its total counts go on, its limits hold there."""

import uuid

from ragauth import clock, transaction
from ragauth.errors import KeyAlreadyRotated, KeyStays, NoSuchAccount, NoSuchKey
from ragauth.models import ApiKey
from ragauth.models import accounts as account_rows
from ragauth.models import api_keys as key_rows
from ragauth.services import audit
from ragauth.services.audit import Client, EventName
from ragauth.services.keys import allowances
from ragauth.services.keys.api_keys import get_key, keeping_to_maxima, require_environment
from ragauth.services.keys.own_counts import owners_of
from ragauth.services.limits.account_limits import terms_of
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.usage import bring_last_uses_up_to_date


def move_key(
    *, account_id: uuid.UUID, key_id: uuid.UUID, to_account_id: uuid.UUID, client: Client
) -> ApiKey:
    """Give a live managed key of an account to another one, with a predecessor in its grace.

    From the next check on the other account's limits and status hold. Past usage stays where it
    was. What the key has used in its days, months and in total goes on, and what is left until its
    next refill; its shorter windows begin anew. Raises NoSuchKey, NoSuchAccount; KeyStays for a key
    of an agent, or one that is its owner's own; KeyAlreadyRotated for a key in its grace;
    InvalidRequest for a test key and UsageLimitExceeded if the other plan has no room for it;
    ExternalServiceUnavailable if the counters do not tell what is left until a refill.
    """
    with transaction.read_only():
        key = get_key(account_id=account_id, key_id=key_id)
    # The counters alone know it, for each account.
    left_of_refill = allowances.left_of_refill(key)
    with transaction.unit_of_work():
        # Both locks in the order of the ids, so that two moves cannot deadlock.
        locked = account_rows.lock_accounts({account_id, to_account_id})
        held = {account.id: account for account in locked}
        if account_id not in held:
            raise NoSuchKey
        key = get_key(account_id=account_id, key_id=key_id)
        if to_account_id not in held:
            raise NoSuchAccount
        if account_id == to_account_id:
            return key
        if not key.is_managed:
            raise KeyStays("The key is its owner's own, and stays with its account")
        if key.agent_id is not None:
            raise KeyStays("The key is bound to an agent of its account")
        if key.replaced_by is not None and key_rows.find_key(account_id, key.replaced_by):
            # It goes with the key that replaced it, while that one is alive.
            raise KeyAlreadyRotated
        other = held[to_account_id]
        require_environment(other, key.environment)
        moved = [key, *key_rows.list_predecessors(key, now=clock.now())]
        # The history of both accounts tells of it.
        audit.record_key_event(EventName.KEY_CHANGED, key, client, fields=["account_id"])
        with keeping_to_maxima([other]):
            for each in moved:
                each.account_id = to_account_id
        audit.record_key_event(EventName.KEY_CHANGED, key, client, fields=["account_id"])
    # The counts of the account that it comes from, where they begin in the other one.
    bring_last_uses_up_to_date(account_id)
    current_limits().begin_new(
        owners_of(key),
        key.environment,
        before=terms_of(other.plan, other.limits),
        after=terms_of(other.plan, other.limits, key.limits),
    )
    if left_of_refill is not None:
        allowances.set_left_of_refill(key, left_of_refill)
    return key
