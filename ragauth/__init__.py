"""ragauth: accounts, API keys and the check of every request, for companies that sell a RAG API.

`create_app` is all that a WSGI server needs. `app.py` puts the parts together, and imports go down
from there: the contracts in setup.cfg name the layers. The application is loaded when `create_app`
is first used, so the command `ragauth` can complete a name without it.
"""

import gc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ragauth.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    collects = gc.isenabled()
    # All that is loaded here lives until the process ends, so garbage collection would free nothing
    # of it, but take a tenth of the start. Frozen objects are left out of later collections too.
    gc.disable()
    try:
        from ragauth.app import create_app  # noqa: PLC0415
    finally:
        gc.freeze()
        if collects:
            gc.enable()
    globals()[name] = create_app
    return create_app
