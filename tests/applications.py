"""Applications for the tests, with settings of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from ragauth import create_app
from ragauth.app import add_migrations
from ragauth.config import Settings
from ragauth.policy import DEFAULT_POLICY
from tests.runtime import runtime_of

SECRET_KEY = b"a secret of the tests, 32 bytes or more"
BCRYPT_COST = 4  # the lowest that bcrypt knows: the tests hash a thousand times


def make_settings(instance_dir: Path, database_url: str) -> Settings:
    """Settings without limits that one test could use up for another."""
    return Settings(
        instance_dir=instance_dir,
        database_url=database_url,
        secret_key=SECRET_KEY,
        redis_url=None,
        policy=DEFAULT_POLICY,
        mail_url=None,
        key_brand="rag",
        bcrypt_cost=BCRYPT_COST,
        access_token_seconds=3600,
        refresh_token_seconds=604_800,
        login_failures_per_account=0,
        login_failures_per_address=0,
        signups_per_address=0,
        require_https=False,
        trusted_proxies=0,
        cors_origins=(),
        refresh_cookie=False,
        old_secret_keys=(),
        session_seconds=2_592_000,
        reservation_seconds=900,
        event_days=365,
        mail_from="ragauth <no-reply@ragauth.test>",
        dashboard_url="https://app.test",
        compat=(),
        compat_query_upstream=None,
        webhook_private_networks=False,
        metrics_token=None,
        github_keys_url=None,
        leaked_keys="notify",
        database_pooler=None,
    )


def make_testing_app(settings: Settings) -> Flask:
    """An application whose requests come from no server, with the answers that a server gives."""
    app = create_app(settings)
    app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
    add_migrations(app)
    return app


@contextmanager
def running_app(settings: Settings) -> Iterator[Flask]:
    """An application whose connections are closed in the end."""
    app = make_testing_app(settings)
    try:
        yield app
    finally:
        runtime_of(app).close()
