"""gunicorn as one would run any Flask application: its own threaded worker and no log of ours."""

from ragauth import gunicorn_conf as ours

bind = ours.bind
workers = ours.workers
threads = ours.threads
worker_class = "gthread"
preload_app = ours.preload_app
keepalive = ours.keepalive
graceful_timeout = ours.graceful_timeout
control_socket_disable = ours.control_socket_disable
worker_tmp_dir = getattr(ours, "worker_tmp_dir", None)
accesslog = None
