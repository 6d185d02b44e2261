"""gunicorn for an installed package: no module of the present folder is imported.

That folder may be anybody's, as /tmp is, and may have a `redis.py`. Python itself looks there for
`-m`, unless it is told not to (`-P`), and gunicorn puts it before all others, unless it is in the
path already.
"""

import os
import sys

from gunicorn.app.wsgiapp import run

if __name__ == "__main__":
    sys.path.append(os.getcwd())
    run(prog="gunicorn")
