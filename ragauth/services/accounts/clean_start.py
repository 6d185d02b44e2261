"""A clean start: end what was set up in an account before its address was confirmed.

A stranger can sign up with an address of another person. When the owner of the address sets a new
password with a mail sent there, the address is proved. From then on nothing that the stranger set
up opens the account. Name, username and plan stay, because they open nothing. Managed keys stay
too: the operator set them up, and no stranger ever held the right to (S42).
"""

from ragauth import transaction
from ragauth.models import Account
from ragauth.models import agents as agent_rows
from ragauth.models import second_factors as factor_rows
from ragauth.models import sessions as session_rows
from ragauth.security.identifiers import AGENT, encode_id
from ragauth.services import audit
from ragauth.services.accounts import confirmations
from ragauth.services.accounts.confirmations import Purpose
from ragauth.services.audit import Client, EventName
from ragauth.services.keys import revocation
from ragauth.services.limits import throttles
from ragauth.services.mail import queue


def end_what_was_set_up(account: Account, client: Client) -> dict[str, str]:
    """End keys and agents that are not the operator's, the second factor, unused tokens, and mail.

    In the present transaction; the account is locked and its sessions have ended. Returns how many
    of each there were, for the mail that tells the owner.
    """
    keys = revocation.revoke_own(account.id, client)
    agents = _delete_agents(account, client)
    factors = 0
    factor = factor_rows.find_factor(account.id)
    if factor is not None and factor.confirmed_at is not None:
        factors = 1
        audit.record(EventName.SECOND_FACTOR_REMOVED, account_id=account.id, client=client)
    factor_rows.delete_for_account(account.id)
    # A stranger may have logged in from these places.
    session_rows.forget_clients(account.id)
    confirmations.withdraw_tokens(account_id=account.id, purposes=frozenset(Purpose))
    queue.withdraw_mail(account_id=account.id)
    # Wrong codes of that factor must not count against the owner's.
    for throttle in (
        throttles.second_factor_failures(account.id),
        throttles.second_factor_failures_of_a_day(account.id),
    ):
        transaction.when_committed(throttle.clear)
    audit.record(
        EventName.STARTED_CLEAN,
        account_id=account.id,
        client=client,
        revoked_keys=keys,
        deleted_agents=agents,
        removed_second_factors=factors,
    )
    return {
        "ended_keys": str(keys),
        "ended_agents": str(agents),
        "ended_second_factors": str(factors),
    }


def _delete_agents(account: Account, client: Client) -> int:
    """Delete the agents but those of live keys, which by now are managed: no key loses its binding.

    Returns how many there were.
    """
    agent_ids = agent_rows.list_unbound(account.id)
    for agent_id in agent_ids:
        audit.record(
            EventName.AGENT_DELETED,
            account_id=account.id,
            client=client,
            agent_id=encode_id(AGENT, agent_id),
        )
    agent_rows.delete_unbound(account.id)
    return len(agent_ids)
