"""Members who sign up past the web: without a request, and with a hash that was made before.

Nearly every test begins with one. It is the service's own signup that adds them, so the database
holds afterwards what a signup leaves there.
"""

from contextvars import ContextVar
from importlib.metadata import version

from flask import Flask

from ragauth.extensions import settings
from ragauth.services.accounts import accounts
from ragauth.services.accounts.accounts import SignedUp
from ragauth.services.accounts.hashing import StoredPassword
from ragauth.services.audit import Client

# In the config of an application whose settings let such a signup do what a request would.
READY_MEMBERS = "TESTS_READY_MEMBERS"

_HASHING = "hash_new_password"
_hash_new_password = getattr(accounts, _HASHING)
_ready: ContextVar[StoredPassword | None] = ContextVar("ready", default=None)
_hashed: dict[tuple[str, bytes, int], StoredPassword] = {}
# As which Flask's test client comes.
_CLIENT = Client(ip="127.0.0.1", user_agent=f"Werkzeug/{version('werkzeug')}")


def take_ready_hashes() -> None:
    """Let signups of this module take a hash that was made before; all others hash as ever."""

    def hash_new_password(*arguments: object) -> StoredPassword:
        stored: StoredPassword = _ready.get() or _hash_new_password(*arguments)
        return stored

    setattr(accounts, _HASHING, hash_new_password)


def sign_up(app: Flask, *, email: str, password: str) -> SignedUp:
    """A new account, with its first session and its primary key."""
    with app.app_context():
        made_with = (password, settings().secret_key, settings().bcrypt_cost)
        if made_with not in _hashed:
            _hashed[made_with] = _hash_new_password(password, email, None, None, _CLIENT)
        token = _ready.set(_hashed[made_with])
        try:
            return accounts.sign_up(
                email=email, password=password, name=None, username=None, client=_CLIENT
            )
        finally:
            _ready.reset(token)
