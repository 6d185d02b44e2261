FROM python:3.13-slim-bookworm AS build

COPY requirements/run.txt /tmp/run.txt
# Wheels only: the image never needs a compiler.
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --only-binary=:all: --no-deps --require-hashes -r /tmp/run.txt


FROM python:3.13-slim-bookworm

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    RAGAUTH_INSTANCE_DIR=/var/lib/ragauth

COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY wsgi.py ./
COPY ragauth ragauth
# Compiled here because the running container can write neither here nor in the venv. A named
# volume mounted on the instance folder takes over its owner.
RUN python -m compileall -q . \
    && install -d -m 0700 -o 10001 -g 10001 "$RAGAUTH_INSTANCE_DIR"

# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000

# No proxy: http_proxy may be set for outgoing mail and must not swallow the loopback.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + (os.environ['PORT'].strip() or '8000') + '/healthz', timeout=2)"]

# gunicorn, which takes the place of the command.
CMD ["flask", "--app", "wsgi", "serve"]
