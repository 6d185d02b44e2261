"""The yardstick: a Flask application that does nothing but answer."""

from flask import Flask

app = Flask(__name__)


@app.get("/bare")
def bare() -> dict[str, str]:
    """Answer a small object."""
    return {"status": "ok"}


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Answer the one that waits for the start."""
    return {"status": "ok"}
