"""RAG Chats' wire format: JWTs with a lasting refresh token, agents, questions to an agent.

Answers are bare, without an envelope. `FACE` is what is mounted, at `/compat/ragchats`.
"""

from ragauth.blueprints.compat.face import Face
from ragauth.blueprints.compat.ragchats import agents, auth
from ragauth.blueprints.compat.ragchats.blueprint import ragchats
from ragauth.blueprints.compat.ragchats.errors import failure
from ragauth.blueprints.compat.ragchats.reference import DOCUMENT
from ragauth.web.faces import Wording, bare_success

__all__ = ["FACE", "agents", "auth"]

FACE = Face(ragchats, Wording(bare_success, failure), DOCUMENT)
