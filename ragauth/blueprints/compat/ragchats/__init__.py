"""RAG Chats' wire format: JWTs with a lasting refresh token, agents, questions to an agent."""

from flask import Blueprint

from ragauth.blueprints.compat.ragchats.errors import failure
from ragauth.blueprints.compat.ragchats.reference import DOCUMENT
from ragauth.web.faces import Face, Wording, bare_success

ragchats = Blueprint("compat_ragchats", __name__)
FACE = Face(ragchats, Wording(bare_success, failure), DOCUMENT)

from ragauth.blueprints.compat.ragchats import agents, auth  # noqa: E402, F401
