"""The WSGI entry point: `gunicorn -c python:ragauth.gunicorn_conf wsgi:app`."""

import os
import sys

from ragauth import create_app
from ragauth.config import SettingsError

# What this process writes (database, secret, counters, outbox) is its owner's alone.
os.umask(0o077)

try:
    app = create_app(serves=True)
except SettingsError as error:
    sys.exit(f"ragauth: {error}")
