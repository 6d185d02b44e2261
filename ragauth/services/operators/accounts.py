"""What operators do with accounts: make and find them, set their plan, suspend and erase them."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any

from ragauth import transaction
from ragauth.errors import AccountOfKeyspace, ExternalIdTaken, InvalidRequest, NoSuchAccount
from ragauth.extensions import current_policy
from ragauth.models import Account, account_search
from ragauth.models import accounts as account_rows
from ragauth.models import keyspaces as keyspace_rows
from ragauth.models.accounts import SUSPENDED
from ragauth.models.base import Page, changed_columns, flush
from ragauth.policy import FIRST_PLAN
from ragauth.policy.limits import MOST_LIMITS
from ragauth.security.emails import canonical_email
from ragauth.security.identifiers import ACCOUNT, decode_id
from ragauth.services import audit
from ragauth.services.account_lock import hold_account
from ragauth.services.accounts import erasure
from ragauth.services.accounts.accounts import add_account, hash_new_password
from ragauth.services.audit import Client, EventName
from ragauth.services.limits.account_limits import begin_new_limits, terms_of
from ragauth.services.limits.limits import Terms
from ragauth.services.limits.marks import NO_PLAN, keep_marks, without_mark
from ragauth.services.limits.seeds import ENVIRONMENTS
from ragauth.services.limits.takings import Owners

_CONFLICTS = {"uq_accounts_external_id": ExternalIdTaken}
# What operators keep with an account, by the contract's names, and the columns.
_KEPT = {"external_id": "external_id", "metadata": "own_data"}
# How many ids one query names.
_BATCH = 500


def create_account(
    *,
    email: str | None,
    client: Client,
    password: str | None = None,
    name: str | None = None,
    username: str | None = None,
    plan: str = FIRST_PLAN,
    external_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    limits: list[dict[str, Any]] | None = None,
) -> Account:
    """Make an account without a session, a key or a mail.

    Without a password nobody logs in until the owner of the address sets one by a reset. Raises
    InvalidRequest for an unknown plan and a password that is easy to guess; EmailTaken,
    UsernameTaken or ExternalIdTaken: of simultaneous calls with one of these, exactly one succeeds.
    """
    require_plan(plan)
    stored = None
    if password is not None and email is not None:
        stored = hash_new_password(password, email, username, name, client)
    with transaction.unit_of_work():
        return add_account(
            email=email,
            stored=stored,
            name=name,
            username=username,
            client=client,
            plan=plan,
            external_id=external_id,
            metadata=metadata,
            limits=limits,
        )


def find_by_external_id(external_id: str) -> Account | None:
    """The account that the operator calls so."""
    with transaction.read_only():
        return account_rows.find_by_external_id(external_id)


def find_id(external_id: str) -> uuid.UUID | None:
    """The id of that account."""
    account = find_by_external_id(external_id)
    return None if account is None else account.id


def get_account(*, account_id: uuid.UUID) -> Account:
    """The account with this id; raises NoSuchAccount."""
    with transaction.read_only():
        account = account_rows.find_account(account_id)
    if account is None:
        raise NoSuchAccount
    return account


def find(email_or_id: str) -> Account | None:
    """The account with this e-mail address or `acc_` id."""
    with transaction.read_only():
        if "@" in email_or_id:
            return _find_by_email(email_or_id)
        try:
            return account_rows.find_account(decode_id(ACCOUNT, email_or_id))
        except ValueError:
            return None


def find_many(account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Account]:
    """Those of these accounts that exist, by id."""
    found: dict[uuid.UUID, Account] = {}
    rest = iter(account_ids)
    while batch := list(islice(rest, _BATCH)):
        with transaction.read_only():
            accounts = account_rows.find_many(account_ids=batch)
        found |= {account.id: account for account in accounts}
    return found


def list_accounts(
    *,
    search: str | None = None,
    email: str | None,
    external_id: str | None,
    plan: str | None,
    status: str | None,
    limit: int,
    cursor: uuid.UUID | None,
) -> Page[Account]:
    """List the accounts of which all that is given is true, newest first.

    `search` is as for `search_accounts`. Raises InvalidRequest for an unknown plan.
    """
    if plan is not None:
        require_plan(plan)
    try:
        email_canonical = None if email is None else canonical_email(email)
    except ValueError:
        return Page([], None)
    with transaction.read_only():
        return account_search.list_accounts(
            search=search,
            email_canonical=email_canonical,
            external_id=external_id,
            plan=plan,
            status=status,
            limit=limit,
            cursor=cursor,
        )


def search_accounts(
    *,
    search: str | None,
    plan: str | None,
    status: str | None,
    limit: int,
    cursor: uuid.UUID | None,
) -> Page[Account]:
    """Search accounts, newest first.

    The text is found anywhere in e-mail, username, name or external id, in upper or lower case, or
    it is an id or the beginning of one.
    """
    with transaction.read_only():
        return account_search.search_accounts(
            search=search, plan=plan, status=status, limit=limit, cursor=cursor
        )


def count_accounts(*, search: str | None, plan: str | None, status: str | None) -> int:
    """How many accounts `search_accounts` finds in total."""
    with transaction.read_only():
        return account_search.count_accounts(search=search, plan=plan, status=status)


def administer(*, account_id: uuid.UUID, changes: dict[str, Any], client: Client) -> Account:
    """Set an account's plan, status and limits, with effect on the next request, and what is kept
    with it.

    A plan that is set holds, also for an account that was made without the limits of one.
    Raises NoSuchAccount; InvalidRequest for an unknown plan; ExternalIdTaken if another account
    has the external id, also if both get it at the same time.
    """
    with transaction.unit_of_work():
        account = hold_account(account_id, absent=NoSuchAccount)
        before = terms_of(account.plan, account.limits)
        if "plan" in changes:
            _change_plan(account, changes["plan"], client)
        if "status" in changes:
            change_status(account, changes["status"], client)
        if "limits" in changes:
            limits = changes["limits"]
            limits = limits and keep_marks(account.limits or (), limits)
            _change_limits(account, limits, client)
        _begin_new_limits(account, before)
        _keep(account, changes, client)
    return account


def set_limit(
    *, account_id: uuid.UUID, meter: str, window: str, size: int | None, client: Client
) -> Account:
    """Set what replaces one limit of the plan; a size of None is no limit.

    Raises NoSuchAccount; InvalidRequest if the account has ten such limits already.
    """
    limit = {"meter": meter, "window": window, "size": size}
    return _replace_limit(account_id, limit, [limit], client)


def reset_limit(*, account_id: uuid.UUID, meter: str, window: str, client: Client) -> Account:
    """Let the plan's own limit of a meter and window hold again; raises NoSuchAccount."""
    return _replace_limit(account_id, {"meter": meter, "window": window}, [], client)


def _replace_limit(
    account_id: uuid.UUID,
    place: Mapping[str, Any],
    replaced_by: Sequence[dict[str, Any]],
    client: Client,
) -> Account:
    with transaction.unit_of_work():
        account = hold_account(account_id, absent=NoSuchAccount)
        before = terms_of(account.plan, account.limits)
        kept = [
            limit
            for limit in account.limits or ()
            if (limit["meter"], limit["window"]) != (place["meter"], place["window"])
        ]
        # Where the plan's limit holds again, the plan does.
        limits = [*kept, *replaced_by] if replaced_by else without_mark(kept, NO_PLAN)
        if len(limits) > MOST_LIMITS:
            message = f"The account has {MOST_LIMITS} limits of its own already"
            raise InvalidRequest([{"path": ["limits"], "message": message}])
        _change_limits(account, limits or None, client)
        _begin_new_limits(account, before)
    return account


def _change_limits(account: Account, limits: list[dict[str, Any]] | None, client: Client) -> None:
    if account.limits != limits:
        audit.record(
            EventName.LIMITS_CHANGED, account_id=account.id, client=client, fields=["limits"]
        )
        account.limits = limits


def _begin_new_limits(account: Account, before: Terms) -> None:
    owners = Owners(account.id.bytes, account.id.bytes)
    after = terms_of(account.plan, account.limits)
    begin_new_limits(owners, ENVIRONMENTS, before=before, after=after)


def _change_plan(account: Account, plan: str, client: Client) -> None:
    require_plan(plan)
    if account.plan != plan:
        audit.record(
            EventName.PLAN_CHANGED,
            account_id=account.id,
            client=client,
            old_plan=account.plan,
            new_plan=plan,
        )
        account.plan = plan
        own = [limit for limit in account.limits or () if not limit.get(NO_PLAN)]
        _change_limits(account, own or None, client)


def _keep(account: Account, changes: dict[str, Any], client: Client) -> None:
    for field in _KEPT.keys() & changes.keys():
        setattr(account, _KEPT[field], changes[field])
    changed = changed_columns(account)
    fields = sorted(field for field, column in _KEPT.items() if column in changed)
    flush(_CONFLICTS)
    if fields:
        # The names alone: what is kept is the operator's.
        audit.record(EventName.ACCOUNT_CHANGED, account_id=account.id, client=client, fields=fields)


def change_status(account: Account, status: str, client: Client) -> None:
    """Suspend or resume an account, in the present transaction; the caller holds its lock."""
    if account.status != status:
        name = EventName.ACCOUNT_SUSPENDED if status == SUSPENDED else EventName.ACCOUNT_RESUMED
        audit.record(name, account_id=account.id, client=client)
        account.status = status


def erase_account(*, account_id: uuid.UUID, client: Client) -> None:
    """Delete an account: sessions and keys die at once, no personal data stays.

    Raises NoSuchAccount; AccountOfKeyspace for a keyspace's own, which ends with the keyspace.
    """
    with transaction.unit_of_work():
        account = hold_account(account_id, absent=NoSuchAccount)
        if keyspace_rows.has_keyspace(account_id):
            raise AccountOfKeyspace
        erasure.erase_account(account, client)


def require_plan(plan: str) -> None:
    """Raise InvalidRequest if there is no plan of this name."""
    plans = current_policy().plans
    if plan not in plans:
        message = f"There is no such plan; there are: {', '.join(plans)}"
        raise InvalidRequest([{"path": ["plan"], "message": message}])


def _find_by_email(email: str) -> Account | None:
    try:
        return account_rows.find_by_email(canonical_email(email))
    except ValueError:
        return None
