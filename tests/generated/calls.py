"""The first calls that a customer writes in Python, with the client made from the document."""

import json
import sys
from typing import Any

from ragauth_client import AuthenticatedClient, Client
from ragauth_client.api.accounts import log_in, show_me, sign_up
from ragauth_client.api.api_keys import create_key, list_keys, revoke_key
from ragauth_client.api.key_check import authorize, show_key_holder, verify_key
from ragauth_client.api.sessions import log_out
from ragauth_client.api.usage import list_my_usage
from ragauth_client.models import (
    AuthenticationError,
    Error,
    Login,
    NewKey,
    Signup,
    ValidationError,
    Verify,
)

PASSWORD = "an otter in the reeds"
told: list[tuple[str, int, Any]] = []


def tell(name: str, response: Any, seen: Any = None) -> None:
    told.append((name, int(response.status_code), seen))


def why(refusal: Error) -> str:
    """What a program reads of a refusal: each code has a class of its own."""
    failure = refusal.error
    if isinstance(failure, AuthenticationError):
        return failure.details.reason.value
    if isinstance(failure, ValidationError):
        return " ".join(".".join(map(str, issue.path)) for issue in failure.details.issues)
    return failure.code


def call(url: str, service_key: str, email: str) -> None:
    nobody = Client(base_url=url)
    answer = sign_up.sync_detailed(client=nobody, body=Signup(email=email, password=PASSWORD))
    tell("signUp", answer, answer.parsed.data.account.email == email)

    answer = log_in.sync_detailed(client=nobody, body=Login(email=email, password=PASSWORD))
    tell("logIn", answer, answer.parsed.data.token_type)
    user = AuthenticatedClient(base_url=url, token=answer.parsed.data.token)

    answer = show_me.sync_detailed(client=user)
    tell("showMe", answer, answer.parsed.data.plan)

    answer = create_key.sync_detailed(client=user, body=NewKey(name="a key"))
    key = answer.parsed.data
    tell("createKey", answer, key.kind)

    answer = list_keys.sync_detailed(client=user, limit=10)
    tell("listKeys", answer, len(answer.parsed.data))

    holder = AuthenticatedClient(
        base_url=url, token=key.api_key, prefix="", auth_header_name="X-API-Key"
    )
    answer = authorize.sync_detailed(client=holder, scope="query")
    tell("authorize", answer, answer.headers["X-Ragauth-Key-Id"] == key.id)

    service = AuthenticatedClient(
        base_url=url, token=service_key, prefix="", auth_header_name="X-API-Key"
    )
    answer = verify_key.sync_detailed(client=service, body=Verify(key=key.api_key))
    tell("verifyKey", answer, answer.parsed.data.valid)

    tell("revokeKey", revoke_key.sync_detailed(key.id, client=user))

    answer = list_my_usage.sync_detailed(client=user)
    tell("listMyUsage", answer, isinstance(answer.parsed.data, list))

    answer = show_key_holder.sync_detailed(client=holder)
    tell("showKeyHolder", answer, why(answer.parsed))

    answer = create_key.sync_detailed(client=user, body=NewKey(name=""))
    tell("createKey", answer, why(answer.parsed))

    tell("logOut", log_out.sync_detailed(client=user))


if __name__ == "__main__":
    call(*sys.argv[1:])
    print(json.dumps(told))  # noqa: T201
