"""Which credential a request carries (RFC 6750 section 2.1, `X-API-Key`)."""

from ragauth.errors import CredentialMalformed, CredentialMissing


def bearer_token(authorization: str | None) -> str:
    """The token of an Authorization header; the scheme is case-insensitive."""
    if not authorization:
        raise CredentialMissing
    scheme, _, token = authorization.partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token or not token.isascii() or " " in token:
        raise CredentialMalformed("The Authorization header must be: Bearer <credential>")
    return token


def presented_key(authorization: str | None, api_key_header: str | None) -> str:
    """The one API key of a request, as Bearer or as X-API-Key; two different ones are none."""
    if not api_key_header:
        return bearer_token(authorization)
    if authorization and bearer_token(authorization) != api_key_header:
        raise CredentialMalformed("Authorization and X-API-Key carry different credentials")
    return api_key_header


def is_token_shaped(credential: str) -> bool:
    """Whether it was meant as a JWT: three parts between two dots, the first one of JSON."""
    return credential.startswith("eyJ") and credential.count(".") == 2
