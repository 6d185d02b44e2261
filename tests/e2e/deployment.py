"""A program of its own for a test, which can change its code and its settings while it serves."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.restart_load import Question, json_question
from tests.e2e.service import PASSWORD, Service, User, install
from tests.servers.gunicorn import PROJECT_ROOT, start_gunicorn

_LIMITS = (
    "limits.requests.minute = 99999\nlimits.requests.month = 99999\nmax_keys = 9\nmax_agents = 9\n"
)
_NEW_VERSION = "0.99.9"
OLD_SECONDS, NEW_SECONDS = 1000, 2000


class Deployment:
    """A program and its settings file, of which a test can change a few parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "program"
        (self.folder / "ragauth").mkdir(parents=True)
        for part in (PROJECT_ROOT / "ragauth").iterdir():
            # A link can be removed; what a test writes to is a copy.
            (self.folder / "ragauth" / part.name).symlink_to(part)
        self._version = self.folder / "ragauth" / "version.py"
        self._version.unlink()
        shutil.copy2(PROJECT_ROOT / "ragauth" / "version.py", self._version)
        shutil.copy2(PROJECT_ROOT / "wsgi.py", self.folder)
        self.settings = folder / "settings"
        plans = folder / "policy.toml"
        plans.write_text(f"[plans.trial]\n{_LIMITS}")
        self._set_seconds(OLD_SECONDS)
        self.installation = install(
            folder,
            RAGAUTH_POLICY_FILE=str(plans),
            RAGAUTH_SETTINGS_FILE=str(self.settings),
            PYTHONDONTWRITEBYTECODE="1",
        )
        self.installation.migrate()

    @contextmanager
    def serve(self) -> Iterator[Service]:
        with (
            start_gunicorn(
                self.installation.environment, cwd=self.folder, is_linked=True
            ) as gunicorn,
            self.installation.client_of(gunicorn) as service,
        ):
            yield service

    def renew(self) -> None:
        """Put a new version in the place of the old one, and new settings."""
        self._set_seconds(NEW_SECONDS)
        text = f'"""Another one."""\n\nVERSION = "{_NEW_VERSION}"\n'
        self._version.write_text(text)

    def is_new(self, service: Service) -> bool:
        """Whether a new connection is answered by the new code."""
        version: str = service.client.get("/").json()["data"]["version"]
        return version == _NEW_VERSION

    def _set_seconds(self, seconds: int) -> None:
        self.settings.write_text(f"RAGAUTH_ACCESS_TOKEN_SECONDS={seconds}\n")


def token_seconds(user: User) -> int:
    """A setting, as an answer shows it: in thousands, for a part of it may be over already."""
    seconds: int = user.log_in()["expires_in"]
    return round(seconds, -3)


def questions(service: Service, user: User) -> Sequence[Question]:
    """Mostly key checks, which the poller answers, and some that go to a thread.

    First, and after six rounds of nine, comes a login, which takes as long as a hundred of them.
    """
    command = ("service-keys", "create", "--name", "gateway", "--scope", "verify", "--json")
    asker = json.loads(service.installation.command(*command))["api_key"]
    check = Question("/api/v1/authorize", headers=f"X-API-Key: {user.api_key}\r\n")
    bearer = f"Authorization: Bearer {asker}\r\n"
    verify = json_question(
        "/api/v1/keys/verify", {"key": user.api_key}, right=[200], headers=bearer
    )
    # Each worker hashes one password at a time, and turns away what it has no place for.
    credentials = {"email": user.email, "password": PASSWORD}
    login = json_question("/api/auth/login", credentials, right=[200, 429])
    return [login, Question("/readyz"), *([check] * 8 + [verify]) * 6]
