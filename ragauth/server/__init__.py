"""How gunicorn serves it fast: a worker that answers key checks in the thread that polls sockets.

All that leans on gunicorn's inner parts is here, and nothing else imports it but `gunicorn_conf`.
With `RAGAUTH_SERVER=gunicorn`, and on any other WSGI server, ragauth runs without it.
"""
