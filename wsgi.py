"""The WSGI entry point: `gunicorn -c python:ragauth.gunicorn_conf wsgi:app`."""

from ragauth import create_app

app = create_app()
