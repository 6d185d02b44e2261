"""The check of a request at the door of a service: what all integrations share.

It knows headers and addresses, and no framework.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self, TypeVar, Unpack

from ragauth_client import calls
from ragauth_client.errors import InvalidRequest
from ragauth_client.exchange import Settings, Steps
from ragauth_client.fields import Question
from ragauth_client.models import Verdict

# Optional whitespace around the value of a header (RFC 9110 section 5.6.3).
_BLANKS = " \t"
_REALM = 'Bearer realm="ragauth"'
_LONGEST_IP = 100
_LONGEST_ORIGIN = 1000
# Windows has two.
_SEPARATORS = re.compile(r"[/\\]")
R = TypeVar("R")


@dataclass(frozen=True)
class Presented:
    """What a request shows: two headers of credentials, where it comes from, its `Origin`."""

    authorization: str | None = None
    api_key: str | None = None
    client_ip: str | None = None
    origin: str | None = None

    @classmethod
    def of(cls, header: Callable[[str], str | None], client_ip: str | None) -> Self:
        """From a function that looks a header up by its name in lower case."""
        return cls(header("authorization"), header("x-api-key"), client_ip, header("origin"))


@dataclass(frozen=True)
class Check:
    """Whether the request may go on; the plan of `Client.check`."""

    presented: Presented
    question: Question

    def steps(self, settings: Settings) -> Steps[Verdict]:
        key = _key_in(self.presented)
        if isinstance(key, Verdict):
            return key
        client_ip = _plain(self.presented.client_ip, _LONGEST_IP)
        origin = _plain(self.presented.origin, _LONGEST_ORIGIN)
        call = calls.verify(key, client_ip=client_ip, origin=origin, **self.question)
        try:
            return (yield from call.steps(settings))
        except InvalidRequest as fault:
            # The caller chose it, in a path: no agent has such an id.
            if [issue["path"][:1] for issue in fault.issues] == [["agent_id"]]:
                message = "There is no such agent"
                return Verdict.refusal(404, "NOT_FOUND", message, headers={})
            raise


def check(presented: Presented, **question: Unpack[Question]) -> Check:
    """Ask about a request that was presented: `verify` with the key that its headers carry.

    A request without one, or with two different ones, is refused here, as ragauth does it.
    """
    return Check(presented, question)


def merged(question: Question, ask: Callable[[R], Question] | None, request: R) -> Question:
    """A route's question, and what the request at hand adds to it.

    A function that forgets to return it must not ask for less: it raises TypeError.
    """
    return question if ask is None else {**question, **ask(request)}


def relayed_headers(verdict: Verdict) -> Mapping[str, str]:
    """The headers of the whole answer that refuses a request."""
    return {"Content-Type": "application/json", **verdict.headers}


def is_below(path: str, bases: Iterable[str]) -> bool:
    """Whether a path is one of these or below one.

    One that goes up is below nothing: what serves files would find another one than is named here.
    """
    if ".." in _SEPARATORS.split(path):
        return False
    return any(path == base or path.startswith(f"{base.rstrip('/')}/") for base in bases)


def _key_in(presented: Presented) -> str | Verdict:
    """The one key of a request (RFC 6750 section 2.1, `X-API-Key`), or why there is none."""
    scheme, _, token = (presented.authorization or "").strip(_BLANKS).partition(" ")
    token = token.lstrip(_BLANKS)
    if scheme.lower() not in ("", "bearer") or not token.isascii() or " " in token:
        return _malformed("The Authorization header must be: Bearer <credential>")
    key = (presented.api_key or "").strip(_BLANKS) or token
    if not key:
        message, headers = "A credential is required", {"WWW-Authenticate": _REALM}
        return Verdict.refusal(
            401, "AUTHENTICATION_ERROR", message, headers=headers, reason="missing"
        )
    if token not in ("", key):
        return _malformed("Authorization and X-API-Key carry different credentials")
    return key


def _malformed(message: str) -> Verdict:
    challenge = f'{_REALM}, error="invalid_request", error_description="{message}"'
    headers = {"WWW-Authenticate": challenge}
    return Verdict.refusal(
        401, "AUTHENTICATION_ERROR", message, headers=headers, reason="malformed"
    )


def _plain(text: str | None, longest: int) -> str | None:
    """A text that ragauth reads; another one is no address and no origin, for it too."""
    is_plain = text and len(text) <= longest and text.isascii() and text.isprintable()
    return text if is_plain else None
