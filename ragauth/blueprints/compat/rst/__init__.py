"""RST's wire format: a user with a username, a bearer token, keys that start with `rst_`.

Answers are bare, without an envelope. `FACE` is what is mounted, at `/compat/rst`.
"""

from ragauth.blueprints.compat.face import Face
from ragauth.blueprints.compat.rst import auth, keys, me
from ragauth.blueprints.compat.rst.blueprint import rst
from ragauth.blueprints.compat.rst.errors import failure
from ragauth.blueprints.compat.rst.reference import DOCUMENT
from ragauth.web.faces import Wording, bare_success

__all__ = ["FACE", "auth", "keys", "me"]

FACE = Face(rst, Wording(bare_success, failure), DOCUMENT)
