"""The second step of a login: the token of the first one, and a code."""

from ragauth import transaction
from ragauth.errors import CredentialInvalid
from ragauth.services import audit
from ragauth.services.account_lock import hold_account_of_token
from ragauth.services.accounts import confirmations, second_factors
from ragauth.services.accounts.accounts import LoggedIn
from ragauth.services.accounts.second_factor_codes import check_code, spend_code
from ragauth.services.accounts.second_factors import CHALLENGE
from ragauth.services.audit import Client, EventName
from ragauth.services.sessions import sessions


def complete_login(*, mfa_token: str, code: str, client: Client) -> LoggedIn:
    """Open a session for the token of the first step and a right code.

    A wrong code does not use the token up. Raises InvalidCode, AccountSuspended, and as
    `confirmations.find_token` does, also if the password was changed or the factor removed since
    the first step.
    """
    with transaction.read_only():
        account_id = confirmations.find_token(mfa_token, purposes=CHALLENGE).account_id
        factor = second_factors.find_confirmed(account_id)
    if factor is None:
        raise CredentialInvalid("The token is not valid")
    checked = check_code(factor, code=code, client=client)
    with transaction.unit_of_work():
        account = hold_account_of_token(account_id)
        # Look again under the lock: if the token was withdrawn or used meanwhile, no code is spent.
        confirmations.find_token(mfa_token, purposes=CHALLENGE)
        method = spend_code(checked, account=account, client=client)
        confirmations.use_token(mfa_token, purposes=CHALLENGE)
        tokens = sessions.open_session(account_id=account_id, client=client)
        audit.record(
            EventName.LOGIN_SUCCEEDED,
            account_id=account_id,
            client=client,
            second_factor=method.value,
        )
    return LoggedIn(account=account, tokens=tokens)
