"""ragauth: accounts, API keys and the check of every request, for companies that sell a RAG API.

`create_app` is all that a WSGI server needs. `app.py` puts the parts together, and imports go down
from there: the contracts in setup.cfg name the layers.
"""

import gc

_collects = gc.isenabled()
# All that is loaded here lives until the process ends, so garbage collection would free nothing of
# it, but take a tenth of the start. Frozen objects are left out of later collections too.
gc.disable()
try:
    from ragauth.app import create_app
finally:
    gc.freeze()
    if _collects:
        gc.enable()

__all__ = ["create_app"]
