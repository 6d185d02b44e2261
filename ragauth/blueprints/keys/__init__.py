"""API keys: managed with an access token (`manage`), presented to the check (`check`).

The check's routes answer as the gate before Flask does, which answers what is plain: both ask
`services.keys.check` and render with `web.check.answers`.
"""

from ragauth.blueprints.keys import checking, holder, leaks, managing, metering, rotation
from ragauth.blueprints.keys.blueprint import check, manage

__all__ = ["check", "checking", "holder", "leaks", "manage", "managing", "metering", "rotation"]
