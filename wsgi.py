"""The WSGI entry point: `gunicorn -c python:ragauth.gunicorn_conf wsgi:app`."""

import sys

from ragauth import create_app
from ragauth.config import SettingsError

try:
    app = create_app()
except SettingsError as error:
    sys.exit(f"ragauth: {error}")
