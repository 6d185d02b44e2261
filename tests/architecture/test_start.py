"""What a start loads: nothing that is needed rarely and takes long."""

import subprocess
import sys

_RARE = (
    *("email_validator", "zxcvbn", "segno", "flask_cors", "httpx", "alembic", "redis", "psycopg"),
    *("apispec", "prometheus_client", "http.cookiejar"),
    *("ragauth.cli.keys", "ragauth.cli.accounts", "ragauth.web.openapi.document"),
)
_LOAD = """
import gc, sys
from ragauth import create_app
print(gc.isenabled(), gc.get_freeze_count() > 50_000)
print(*(name for name in sys.argv[1:] if name in sys.modules))
"""


def test_the_application_is_loaded_without_what_is_needed_rarely() -> None:
    """Frozen as well: no later pass of the collector looks at what was loaded."""
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, *_RARE], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True True\n\n"
