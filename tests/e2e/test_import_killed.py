"""An import of keys that is killed in the middle is completed by the same file."""

import hashlib
import json
import os
import signal
import time
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from ragauth import transaction
from ragauth.config import read_settings
from ragauth.extensions import db
from ragauth.models import ApiKey, Event
from ragauth.services.audit import EventName
from tests.applications import running_app
from tests.e2e.conftest import NewInstallation
from tests.e2e.service import COMMAND_SECONDS, PASSWORD

# Work enough to be killed in the midst of it: a batch is a thousand.
_KEYS = 4_000


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_was_committed_stays_and_the_rest_follows(
    new_installation: NewInstallation, database: str, tmp_path: Path
) -> None:
    """S34, S39: each batch is there with the events of its keys, or not at all."""
    installation = new_installation(database)
    with patch.dict(os.environ, installation.environment, clear=True):
        settings = read_settings()
    file = tmp_path / "keys.jsonl"
    with running_app(settings) as app, app.app_context():

        def sign_up(email: str) -> TestResponse:
            return app.test_client().post(
                "/api/auth/signup",
                json={"email": email, "password": PASSWORD},
                base_url="https://ragauth.test",
            )

        owner = sign_up("ada@example.com").get_json()["data"]["account"]["id"]
        file.write_text("\n".join(_line(number, owner) for number in range(_KEYS)))

        def count() -> tuple[int, int]:
            imported = Event.name == EventName.KEY_IMPORTED.value
            with transaction.read_only():
                keys = db.session.scalar(select(func.count()).where(ApiKey.is_imported))
                events = db.session.scalar(select(func.count()).where(imported))
            return int(keys or 0), int(events or 0)

        with installation.start("keys", "import", str(file)) as process:
            ends_at = time.monotonic() + COMMAND_SECONDS
            while count() == (0, 0) and time.monotonic() < ends_at:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait(COMMAND_SECONDS)
        kept, events = count()
        assert 0 < kept < _KEYS
        assert (kept % 1_000, events) == (0, kept)
        # It has left nothing that would hold a service up.
        assert sign_up("lin@example.com").status_code == 201

        told = json.loads(installation.command("keys", "import", str(file), "--json"))
        assert told == {"lines": _KEYS, "imported": _KEYS - kept, "known": kept}
        assert count() == (_KEYS, _KEYS)
        if database == "sqlite":
            with db.engine.connect() as connection:
                check = connection.exec_driver_sql("PRAGMA integrity_check")
                assert check.scalars().all() == ["ok"]


def _line(number: int, owner: str) -> str:
    """An expired key, for which a plan needs no room."""
    digest = hashlib.sha256(f"key {number}".encode()).hexdigest()
    key = {"digest": digest, "owner": owner, "name": "x", "expires_at": "2020-01-01T00:00:00Z"}
    return json.dumps(key)
