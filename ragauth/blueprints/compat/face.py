"""What a face is: another vendor's wire format over the same services."""

from typing import NamedTuple

from flask import Blueprint

from ragauth.web import openapi
from ragauth.web.faces import Wording

# A vendor's list has no pages; this is more than any plan holds, and a bound all the same.
WHOLE_LIST = 10_000
# Where a face's own document is, below the face's prefix.
DOCUMENT = "/openapi.json"


class Face(NamedTuple):
    """Its routes, the wording of its answers, and what its document says of itself.

    The blueprint's name is `compat_<vendor>`: so the contract's own document leaves it out. As
    long as it is mounted: with `opens_scopes` managed keys may have scopes that no policy declares,
    with `imports_keys` a key of another system may be taken over at any moment.
    """

    blueprint: Blueprint
    wording: Wording
    document: openapi.DocumentedFace
    opens_scopes: bool = False
    imports_keys: bool = False
