"""Counts up a number in the database, as often as it is told, from the end of its stdin on."""

import sys

from sqlalchemy import text

from ragauth import create_app, transaction
from ragauth.extensions import db

if __name__ == "__main__":
    with create_app().app_context():
        print("ready", flush=True)  # noqa: T201
        sys.stdin.read()
        for _ in range(int(sys.argv[1])):
            with transaction.unit_of_work():
                value = db.session.execute(text("SELECT value FROM tally")).scalar_one()
                db.session.execute(text("UPDATE tally SET value = :value"), {"value": value + 1})
