"""Which credential a request carries (RFC 6750 section 2.1, `X-API-Key`)."""

from ragauth.errors import CredentialMalformed, CredentialMissing

# Optional whitespace around the value of a header (RFC 9110 section 5.6.3).
_BLANKS = " \t"


def find_bearer_token(authorization: str | None) -> str | None:
    """The token of an Authorization header; the scheme is case-insensitive.

    None for no header, an empty one, and a scheme without a token: a client that has no token yet
    may send any of these. Raises CredentialMalformed for another scheme or for two tokens.
    """
    scheme, _, token = (authorization or "").strip(_BLANKS).partition(" ")
    token = token.lstrip(_BLANKS)
    if scheme.lower() not in ("", "bearer") or not token.isascii() or " " in token:
        raise CredentialMalformed("The Authorization header must be: Bearer <credential>")
    return token or None


def bearer_token(authorization: str | None) -> str:
    """The token of an Authorization header; raises CredentialMissing where there is none."""
    token = find_bearer_token(authorization)
    if token is None:
        raise CredentialMissing
    return token


def presented_key(authorization: str | None, api_key_header: str | None) -> str:
    """The API key of a request, as Bearer or X-API-Key; two different keys are an error."""
    token = find_bearer_token(authorization)
    api_key = (api_key_header or "").strip(_BLANKS) or token
    if api_key is None:
        raise CredentialMissing
    if token not in (None, api_key):
        raise CredentialMalformed("Authorization and X-API-Key carry different credentials")
    return api_key
