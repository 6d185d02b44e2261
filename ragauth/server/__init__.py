"""Serving fast with gunicorn: a worker answers key checks in the thread that polls its sockets.

All code that uses gunicorn's inner parts is here. Only `gunicorn_conf` imports this package.
With `RAGAUTH_SERVER=gunicorn`, and on any other WSGI server, ragauth runs without it.
"""
