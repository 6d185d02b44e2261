"""Keys, as Unkey's clients make, change and revoke them. What is made here is managed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.credits import change_credits, set_rest
from ragauth.blueprints.compat.unkey.key_schemas import (
    UnkeyCreditOperation,
    UnkeyDeletedKey,
    UnkeyIssuedKey,
    UnkeyKey,
    UnkeyKeyChanges,
    UnkeyNewKey,
    UnkeyPresentedKey,
    UnkeyReroll,
    UnkeyShownCredits,
    UnkeyShownKeyQuestion,
)
from ragauth.blueprints.compat.unkey.key_terms import credits_asked, limits_of
from ragauth.blueprints.compat.unkey.schemas import UnkeyNothing
from ragauth.blueprints.compat.unkey.shown_keys import show
from ragauth.errors import NoSuchKey
