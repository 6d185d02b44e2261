"""GitHub's public keys, with which it signs what its secret scanning has found.

https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program
"""

import base64
import binascii
import json
import logging
import re
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ragauth import clock
from ragauth.errors import CredentialInvalid, CredentialMalformed, ExternalServiceUnavailable
from ragauth.extensions import current
from ragauth.services.keys.shared_list import Fetched, SharedList

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("ragauth")

Keys = Mapping[str, EllipticCurvePublicKey]

_FETCH_EVERY_SECONDS = 60.0
# A key that GitHub has withdrawn is believed for so long at most, as long as its list is in reach.
_KEPT_SECONDS = 86_400.0
_CONNECT_SECONDS = 2.0
_WHOLE_SECONDS = 5.0
_MAX_BYTES = 64 * 1024
# One fetches and one waits for it. Anybody can send an unknown identifier: further threads wait so
# long that a list in reach has come, and are free for others then.
_MAX_WAITING = 2
_SHORT_WAIT_SECONDS = 1.0
_IDENTIFIER = re.compile(r"[!-~]{1,200}")
# A signature of P-256 in DER has up to 72 bytes.
_LONGEST_SIGNATURE = 200
_OUT_OF_REACH = "GitHub's public keys are out of reach; try again shortly"


class GithubKeys:
    """The keys, fetched from a URL when one is needed; None means that it is off.

    They are fetched again for an unknown identifier, at most once a minute, by one process for all
    that were forked from the one that made this. Safe for threads.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url
        if url is not None:
            self._shared = SharedList()
            # Where there is a URL, the first report does not wait for this.
            import_module("httpx")
        self._keys: Keys = {}
        self._listed = ""
        self._read_at = self._asked_at = -_KEPT_SECONDS
        self._has_failed = False
        self._fetching = threading.Lock()
        self._places = threading.BoundedSemaphore(_MAX_WAITING)

    @property
    def is_set(self) -> bool:
        return self._url is not None

    def require_signed(self, body: bytes, *, identifier: str, signature: str) -> None:
        """Require that one of the keys signed exactly these bytes: ECDSA, SHA-256, DER in base64.

        Raises CredentialMalformed, CredentialInvalid for an unknown identifier or another body,
        ExternalServiceUnavailable when the keys of an unknown identifier cannot be fetched. Call it
        outside any transaction.
        """
        if _IDENTIFIER.fullmatch(identifier) is None:
            raise CredentialMalformed("Github-Public-Key-Identifier is malformed")
        der = _decode(signature)
        try:
            self._find_key(identifier).verify(der, body, ECDSA(SHA256()))
        except InvalidSignature as error:
            raise CredentialInvalid("The signature is not one of this body by this key") from error

    def _find_key(self, identifier: str) -> EllipticCurvePublicKey:
        if not self._is_fresh(identifier):
            self._fetch_in_turn(identifier)
        key = self._keys.get(identifier)
        if key is None and self._has_failed:
            raise ExternalServiceUnavailable(_OUT_OF_REACH)
        if key is None:
            raise CredentialInvalid("GitHub lists no key with this identifier")
        return key

    def _is_fresh(self, identifier: str) -> bool:
        return identifier in self._keys and clock.monotonic() - self._read_at < _KEPT_SECONDS

    def _fetch_in_turn(self, identifier: str) -> None:
        """Fetch the keys, or wait for the thread that does, if they may be fetched again."""
        is_known = identifier in self._keys
        if not self._places.acquire(timeout=0 if is_known else _SHORT_WAIT_SECONDS):
            if is_known:
                return
            raise ExternalServiceUnavailable(_OUT_OF_REACH)
        try:
            with self._fetching, self._shared.held(longest_seconds=_WHOLE_SECONDS):
                self._take_over(self._shared.read())
                now = clock.monotonic()
                if self._is_fresh(identifier) or now - self._asked_at < _FETCH_EVERY_SECONDS:
                    return
                self._fetch(now)
        except TimeoutError as error:
            if not is_known:
                raise ExternalServiceUnavailable(_OUT_OF_REACH) from error
        finally:
            self._places.release()

    def _take_over(self, fetched: Fetched | None) -> None:
        """Know what another process has fetched since."""
        if fetched is None:
            return
        self._asked_at, self._has_failed = fetched.asked_at, fetched.has_failed
        if fetched.read_at > self._read_at:
            self._keys, self._listed = _read_keys(fetched.listed.encode("latin-1")), fetched.listed
            self._read_at = fetched.read_at

    def _fetch(self, now: float) -> None:
        """Replace the keys, for other processes too; those of before stay if that fails."""
        import httpx  # noqa: PLC0415 - only where there is a URL

        self._asked_at, self._has_failed = now, True
        # First, so that nobody asks again within the minute if this process is killed meanwhile.
        self._share()
        try:
            body = _download(str(self._url))
            self._keys, self._listed = _read_keys(body), body.decode("latin-1")
        except (httpx.HTTPError, httpx.InvalidURL, _NoKeys, TimeoutError) as error:
            log.error(
                "GitHub's public keys could not be fetched",
                extra={"cause": str(error) if isinstance(error, _NoKeys) else type(error).__name__},
            )
        else:
            self._read_at, self._has_failed = now, False
            self._share()

    def _share(self) -> None:
        self._shared.write(Fetched(self._asked_at, self._has_failed, self._read_at, self._listed))


class _NoKeys(Exception):
    """The answer has no keys; the message tells why."""


def current_github_keys() -> GithubKeys:
    """The keys of the running application."""
    keys: GithubKeys = current().github_keys
    return keys


def _decode(signature: str) -> bytes:
    try:
        if len(signature) > _LONGEST_SIGNATURE:
            raise ValueError
        der = base64.b64decode(signature, validate=True)
        decode_dss_signature(der)
    except (ValueError, binascii.Error) as error:
        raise CredentialMalformed(
            "Github-Public-Key-Signature is no ECDSA signature: DER in base64"
        ) from error
    return der


def _download(url: str) -> bytes:
    """The body of the answer, within bounds of time and size; redirects are not followed."""
    import httpx  # noqa: PLC0415

    ends_at = clock.monotonic() + _WHOLE_SECONDS
    # httpx would log the URL at each request.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with (
        httpx.Client(
            timeout=httpx.Timeout(_WHOLE_SECONDS, connect=_CONNECT_SECONDS),
            follow_redirects=False,
            # Ignore the environment's proxies, .netrc and certificates.
            trust_env=False,
            # A small compressed answer could expand to a huge one.
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        ) as client,
        client.stream("GET", url) as response,
    ):
        _require_plain(response)
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) > _MAX_BYTES:
                raise _NoKeys("too large an answer")
            if clock.monotonic() > ends_at:
                raise TimeoutError
        return bytes(body)


def _require_plain(response: "httpx.Response") -> None:
    if response.status_code != 200:
        raise _NoKeys(f"status {response.status_code}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _NoKeys("a packed answer")


def _read_keys(body: bytes) -> Keys:
    """`{"public_keys": [{"key_identifier", "key": PEM, …}]}`; entries that are no such are skipped.

    Raises _NoKeys if there is no key of P-256 in it.
    """
    try:
        listed = json.loads(body)["public_keys"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise _NoKeys("not the documented form") from error
    keys = {}
    for entry in listed if isinstance(listed, list) else ():
        try:
            identifier, pem = entry["key_identifier"], entry["key"].encode("ascii")
            key = load_pem_public_key(pem)
        except Exception:  # of many kinds: cryptography has its own for each fault
            log.warning("GitHub lists a public key that cannot be read")
            continue
        if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
            keys[str(identifier)] = key
    if not keys:
        raise _NoKeys("no key of P-256")
    return keys
