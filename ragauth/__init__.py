"""ragauth: accounts, API keys and the check of every request, for companies that sell a RAG API.

`create_app` is all that a WSGI server needs. `app.py` puts the parts together, and imports go down
from there: the contracts in setup.cfg name the layers.
"""

import gc

_collects = gc.isenabled()
# What is being loaded is kept until the process ends, so no pass of the collector would free
# anything of it; the passes take a tenth of the start. Frozen, it is left out of later passes too.
gc.disable()
try:
    from ragauth.app import create_app
finally:
    gc.freeze()
    if _collects:
        gc.enable()

__all__ = ["create_app"]
