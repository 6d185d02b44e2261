"""Unkey's wire format: POST alone, `{"meta": {"requestId"}, "data"}`, keys in APIs.

Its root key is a service's own key (`service-keys create`). `FACE` is what is mounted, at
`/compat/unkey`. What is mapped to what stands in docs/compat-unkey.md.
"""

from ragauth.blueprints.compat.face import Face
from ragauth.blueprints.compat.unkey import (
    analytics,
    apis,
    identities,
    key_permissions,
    keys,
    migration,
    permissions,
    ratelimits,
    unmapped,
    verification,
)
from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.reference import DOCUMENT
from ragauth.blueprints.compat.unkey.wording import failure, success
from ragauth.web.faces import Wording

__all__ = [
    "FACE",
    "analytics",
    "apis",
    "identities",
    "key_permissions",
    "keys",
    "migration",
    "permissions",
    "ratelimits",
    "unmapped",
    "verification",
]

FACE = Face(unkey, Wording(success, failure), DOCUMENT, opens_scopes=True, imports_keys=True)
