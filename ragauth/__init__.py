"""ragauth: accounts, API keys and the check of every request, for companies that sell a RAG API.

`create_app` is all that a WSGI server needs. `app.py` puts the parts together, and imports go down
from there: the contracts in setup.cfg name the layers.
"""

from ragauth.app import create_app

__all__ = ["create_app"]
