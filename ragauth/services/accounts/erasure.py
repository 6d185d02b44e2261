"""Erasure: a deleted account leaves a row without a name, dead keys, and what happened when."""

from ragauth import clock, transaction
from ragauth.models import Account
from ragauth.models import agents as agent_rows
from ragauth.models import api_keys as key_rows
from ragauth.models import events as event_rows
from ragauth.models import keyspaces as keyspace_rows
from ragauth.models import limit_notices as notice_rows
from ragauth.models import outbox as mail_rows
from ragauth.models import second_factors as factor_rows
from ragauth.models import sessions as session_rows
from ragauth.models.accounts import DELETED
from ragauth.services import audit
from ragauth.services.accounts import confirmations
from ragauth.services.audit import Client, EventName
from ragauth.services.limits.limits import current_limits
from ragauth.services.sessions import sessions

# The event of an erasure holds neither the client's address nor its user agent.
NO_CLIENT = Client(ip=None, user_agent=None)


def erase_account(account: Account, client: Client) -> None:
    """Turn the account into a deleted one: end sessions and keys, delete all personal data.

    In the present transaction; the caller holds the account's lock. Ids, times and event names
    remain as pseudonyms: a dead key is still recognised as revoked, and past usage still has an
    owner. Usage that is saved later is added to the past usage only.
    """
    account_id = account.id
    sessions.end_sessions(account_id=account_id, client=client)
    key_rows.revoke_keys_of_account(account_id, now=clock.now())
    # It would have no place for new keys. After a restore this repeats the keyspace's deletion.
    keyspace_rows.end_keyspaces_of_account(account_id, now=clock.now())
    transaction.when_committed(lambda: current_limits().forget_account(account_id))
    key_rows.forget_details(account_id)
    session_rows.forget_clients(account_id)
    event_rows.forget_clients(account_id)
    agent_rows.delete_agents(account_id)
    factor_rows.delete_for_account(account_id)
    mail_rows.remove_of_account(account_id)
    notice_rows.delete_for_account(account_id)
    confirmations.forget_account(account_id=account_id)
    account.email = account.email_canonical = account.email_verified_at = None
    account.username = account.username_canonical = account.name = None
    account.external_id = account.own_data = None
    account.password_hash = account.password_scheme = None
    account.status = DELETED
    audit.record(EventName.ACCOUNT_DELETED, account_id=account_id, client=NO_CLIENT)
