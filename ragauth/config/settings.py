"""The settings: read once from the environment, typed, each fault named in one line."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from marshmallow import validate

from ragauth.config import redis_urls, urls
from ragauth.config.environment import PREFIX, Variables, unknown_settings
from ragauth.config.instance import default_instance_dir, open_instance
from ragauth.config.secret_file import MIN_SECRET_BYTES
from ragauth.config.server import SERVER_SETTING
from ragauth.config.settings_file import SETTINGS_FILE
from ragauth.config.values import (
    BRAND,
    COMPAT_FACES,
    COUNT,
    POOLER,
    SECONDS,
    SettingsError,
    each_is_one_of,
    is_bearer_token,
    is_file,
    is_mailbox,
    origins_in,
    warn_of_white_space,
)

MAX_BODY_BYTES = 64 * 1024

_THIRTY_DAYS = 2_592_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What one installation decided. Durations are in seconds."""

    instance_dir: Path
    database_url: str
    secret_key: bytes
    redis_url: str | None
    plans_file: Path | None
    mail_url: str | None
    key_brand: str
    bcrypt_cost: int
    access_token_seconds: int
    refresh_token_seconds: int
    login_failures_per_account: int
    login_failures_per_address: int
    signups_per_address: int
    require_https: bool
    trusted_proxies: int
    cors_origins: tuple[str, ...]
    refresh_cookie: bool
    old_secret_keys: tuple[bytes, ...]
    session_seconds: int
    event_days: int
    mail_from: str
    dashboard_url: str | None
    compat: tuple[str, ...]
    compat_query_upstream: str | None
    metrics_token: str | None
    database_pooler: str | None

    @property
    def is_pooled(self) -> bool:
        """Whether a pooler may hand each transaction to another session of Postgres."""
        return self.database_pooler is not None

    @property
    def uses_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def database_place(self) -> str:
        """The database's URL without user, password and parameters, which may hold them too."""
        if self.uses_sqlite:
            return self.database_url
        # In its one form no other @ and no other ? stands as it is.
        place = self.database_url.removeprefix("postgresql://").rpartition("@")[2]
        return f"postgresql://{place.partition('?')[0]}"


def read_settings() -> Settings:
    """Read the environment, and make the instance where this process may.

    Raises SettingsError naming every setting that is missing, malformed or unknown, or the folder
    that holds no instance.
    """
    env = Variables(PREFIX)
    instance_dir = env.path("INSTANCE_DIR", default_instance_dir()).absolute()
    database_url = env.parsed(
        "DATABASE_URL",
        urls.sqlite_url(instance_dir / "ragauth.db"),
        partial(urls.database_url, instance_dir=instance_dir),
    )
    secret_key = env.text("SECRET_KEY", "").encode()
    redis_url = env.parsed("REDIS_URL", None, redis_urls.redis_url)
    plans_file = env.path("PLANS_FILE", None, is_file)
    mail_url = env.parsed("MAIL_URL", None, urls.mail_url)
    key_brand = env.text("KEY_BRAND", "rag", BRAND)
    bcrypt_cost = env.number("BCRYPT_COST", 12, validate.Range(10, 15))
    access_token_seconds = env.number("ACCESS_TOKEN_SECONDS", 3600, SECONDS)
    refresh_token_seconds = env.number("REFRESH_TOKEN_SECONDS", 604800, SECONDS)
    login_failures_per_account = env.number("LOGIN_FAILURES_PER_ACCOUNT", 10, COUNT)
    login_failures_per_address = env.number("LOGIN_FAILURES_PER_ADDRESS", 50, COUNT)
    signups_per_address = env.number("SIGNUPS_PER_ADDRESS", 60, COUNT)
    require_https = env.flag("REQUIRE_HTTPS", None)
    trusted_proxies = env.number("TRUSTED_PROXIES", 0, validate.Range(0, 10))
    cors_origins = env.text("CORS_ORIGINS", "", origins_in)
    refresh_cookie = env.flag("REFRESH_COOKIE", False)
    old_secret_keys = [key.encode() for key in env.words("OLD_SECRET_KEYS")]
    session_seconds = env.number("SESSION_SECONDS", _THIRTY_DAYS, SECONDS)
    event_days = env.number("EVENT_DAYS", 365, validate.Range(1, 36_500))
    mail_from = env.text("MAIL_FROM", "ragauth <no-reply@localhost>", is_mailbox)
    dashboard_url = env.parsed("DASHBOARD_URL", None, urls.page_url)
    compat = env.words("COMPAT", each_is_one_of(*COMPAT_FACES))
    compat_query_upstream = env.parsed("COMPAT_QUERY_UPSTREAM", None, urls.upstream_url)
    metrics_token = env.text("METRICS_TOKEN", None, is_bearer_token)
    database_pooler = env.text("DATABASE_POOLER", None, POOLER)

    uses_sqlite = database_url.startswith("sqlite")
    if secret_key and len(secret_key) < MIN_SECRET_BYTES:
        env.fault("SECRET_KEY", f"must be at least {MIN_SECRET_BYTES} bytes long")
    if not env.raw("SECRET_KEY").strip() and not uses_sqlite:
        env.fault(
            "SECRET_KEY",
            "required with Postgres; every host needs the same one"
            " (make one with: openssl rand -base64 48)",
        )
    if database_pooler and uses_sqlite:
        env.fault("DATABASE_POOLER", "SQLite has no pooler; RAGAUTH_DATABASE_URL names no Postgres")
    if any(len(key) < MIN_SECRET_BYTES for key in old_secret_keys):
        env.fault("OLD_SECRET_KEYS", f"each must be at least {MIN_SECRET_BYTES} bytes long")
    faults = env.faults + unknown_settings({*env.names, SERVER_SETTING, SETTINGS_FILE})
    if faults:
        raise SettingsError(*faults)

    instance_secret = open_instance(
        instance_dir,
        database_file=_file_of(database_url) if uses_sqlite else None,
        needs_secret=not secret_key,
    )
    warn_of_white_space(env.trimmed)
    untrimmed = [env.raw("SECRET_KEY"), *env.raw("OLD_SECRET_KEYS").split(",")]
    old_secret_keys += [key.encode() for key in untrimmed if key.strip() and key != key.strip()]
    return Settings(
        instance_dir=instance_dir,
        database_url=database_url,
        secret_key=secret_key or instance_secret,
        redis_url=redis_url,
        plans_file=plans_file,
        mail_url=mail_url,
        key_brand=key_brand,
        bcrypt_cost=bcrypt_cost,
        access_token_seconds=access_token_seconds,
        refresh_token_seconds=refresh_token_seconds,
        login_failures_per_account=login_failures_per_account,
        login_failures_per_address=login_failures_per_address,
        signups_per_address=signups_per_address,
        require_https=(not uses_sqlite) if require_https is None else require_https,
        trusted_proxies=trusted_proxies,
        cors_origins=origins_in(cors_origins),
        refresh_cookie=refresh_cookie,
        old_secret_keys=tuple(old_secret_keys),
        session_seconds=session_seconds,
        event_days=event_days,
        mail_from=mail_from,
        dashboard_url=dashboard_url,
        compat=tuple(compat),
        compat_query_upstream=compat_query_upstream,
        metrics_token=metrics_token,
        database_pooler=database_pooler,
    )


def _file_of(sqlite_url: str) -> Path:
    return Path(unquote(sqlite_url.removeprefix("sqlite:///").partition("?")[0]))
