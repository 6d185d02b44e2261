"""The settings: read once from the environment, typed, each fault named in one line."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from environs import Env, validate

from ragauth.config import urls
from ragauth.config.secret_file import MIN_SECRET_BYTES, UNUSABLE, embedded_secret_key
from ragauth.config.values import (
    BRAND,
    COMPAT_FACES,
    COUNT,
    SECONDS,
    SettingsError,
    collect_faults,
    each_is_one_of,
    is_bearer_token,
    is_mailbox,
    origins_in,
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

    @property
    def uses_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")


def read_settings() -> Settings:
    """Read the environment.

    Raises SettingsError naming every setting that is missing or malformed.
    """
    env = Env(eager=False, expand_vars=False)
    with env.prefixed("RAGAUTH_"):
        instance_dir = Path(env.str("INSTANCE_DIR", "instance")).absolute()
        database_url = env.str("DATABASE_URL", "") or "sqlite:///ragauth.db"
        secret_key = env.str("SECRET_KEY", None)
        redis_url = env.str("REDIS_URL", None)
        plans_file = env.path("PLANS_FILE", None)
        mail_url = env.str("MAIL_URL", None)
        key_brand = env.str("KEY_BRAND", "rag", validate=BRAND)
        bcrypt_cost = env.int("BCRYPT_COST", 12, validate=validate.Range(10, 15))
        access_token_seconds = env.int("ACCESS_TOKEN_SECONDS", 3600, validate=SECONDS)
        refresh_token_seconds = env.int("REFRESH_TOKEN_SECONDS", 604800, validate=SECONDS)
        login_failures_per_account = env.int("LOGIN_FAILURES_PER_ACCOUNT", 10, validate=COUNT)
        login_failures_per_address = env.int("LOGIN_FAILURES_PER_ADDRESS", 50, validate=COUNT)
        signups_per_address = env.int("SIGNUPS_PER_ADDRESS", 60, validate=COUNT)
        require_https = env.bool("REQUIRE_HTTPS", None)
        trusted_proxies = env.int("TRUSTED_PROXIES", 0, validate=validate.Range(0, 10))
        cors_origins = env.str("CORS_ORIGINS", "", validate=origins_in)
        refresh_cookie = env.bool("REFRESH_COOKIE", False)
        old_secret_keys: list[str] = env.list("OLD_SECRET_KEYS", [])
        session_seconds = env.int("SESSION_SECONDS", _THIRTY_DAYS, validate=SECONDS)
        event_days = env.int("EVENT_DAYS", 365, validate=validate.Range(1, 36_500))
        mail_from = env.str("MAIL_FROM", "ragauth <no-reply@localhost>", validate=is_mailbox)
        dashboard_url = env.str("DASHBOARD_URL", None)
        compat: list[str] = env.list("COMPAT", [], validate=each_is_one_of(*COMPAT_FACES))
        compat_query_upstream = env.str("COMPAT_QUERY_UPSTREAM", None)
        metrics_token = env.str("METRICS_TOKEN", "", validate=is_bearer_token)
    faults = collect_faults(env)

    read_database_url = partial(urls.database_url, instance_dir=instance_dir)
    understood = partial(urls.understood, faults=faults)
    uses_sqlite = database_url.strip().lower().startswith("sqlite")
    database_url = understood("RAGAUTH_DATABASE_URL", database_url, read_database_url) or ""
    redis_url = understood("RAGAUTH_REDIS_URL", redis_url, urls.redis_url)
    mail_url = understood("RAGAUTH_MAIL_URL", mail_url, urls.mail_url)
    dashboard_url = understood("RAGAUTH_DASHBOARD_URL", dashboard_url, urls.web_url)
    compat_query_upstream = understood(
        "RAGAUTH_COMPAT_QUERY_UPSTREAM", compat_query_upstream, urls.web_url
    )
    if secret_key is not None and len(secret_key.encode()) < MIN_SECRET_BYTES:
        faults.append(f"RAGAUTH_SECRET_KEY: must be at least {MIN_SECRET_BYTES} bytes long")
    if secret_key is None and not uses_sqlite:
        faults.append(
            "RAGAUTH_SECRET_KEY: required with Postgres; every host needs the same one"
            " (make one with: openssl rand -base64 48)"
        )
    if any(len(key.encode()) < MIN_SECRET_BYTES for key in old_secret_keys):
        faults.append(
            f"RAGAUTH_OLD_SECRET_KEYS: each must be at least {MIN_SECRET_BYTES} bytes long"
        )
    if plans_file is not None and not plans_file.is_file():
        faults.append(f"RAGAUTH_PLANS_FILE: there is no file {plans_file}")
    if faults:
        raise SettingsError("\nragauth: ".join(faults))

    try:
        instance_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(UNUSABLE.format(instance_dir, error.strerror)) from error
    return Settings(
        instance_dir=instance_dir,
        database_url=database_url,
        secret_key=secret_key.encode() if secret_key else embedded_secret_key(instance_dir),
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
        old_secret_keys=tuple(key.encode() for key in old_secret_keys),
        session_seconds=session_seconds,
        event_days=event_days,
        mail_from=mail_from,
        dashboard_url=dashboard_url,
        compat=tuple(name.strip() for name in compat),
        compat_query_upstream=compat_query_upstream,
        metrics_token=metrics_token.strip() or None,
    )
