"""RST's wire format: a user with a username, a bearer token, keys that start with `rst_`."""

from flask import Blueprint

from ragauth.blueprints.compat.rst.errors import failure
from ragauth.blueprints.compat.rst.reference import DOCUMENT
from ragauth.web.faces import Face, Wording, bare_success

rst = Blueprint("compat_rst", __name__)
FACE = Face(rst, Wording(bare_success, failure), DOCUMENT)

from ragauth.blueprints.compat.rst import auth, keys, me  # noqa: E402, F401
