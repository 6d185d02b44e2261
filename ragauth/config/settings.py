"""The settings: read once from the environment, typed, each fault named in one line."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from marshmallow import validate

from ragauth.config import redis_urls, urls
from ragauth.config.environment import PREFIX, Variables, read_variables, unknown_settings
from ragauth.config.instance import default_instance_dir, open_instance
from ragauth.config.policy_file import policy_in
from ragauth.config.secret_file import MIN_SECRET_BYTES
from ragauth.config.server import SERVER_SETTING, is_checking_policy
from ragauth.config.settings_file import SETTINGS_FILE
from ragauth.config.values import (
    BRAND,
    COMPAT_FACES,
    COUNT,
    LEAKED_KEYS,
    POOLER,
    SECONDS,
    SettingsError,
    each_is_one_of,
    is_bearer_token,
    is_mailbox,
    origins_in,
    warn_of_white_space,
)
from ragauth.policy import DEFAULT_POLICY, Policy

MAX_BODY_BYTES = 64 * 1024

_THIRTY_DAYS = 2_592_000


def _read(method: Callable[..., Any], default: Any, *arguments: Any) -> Any:
    """A field that is read from the variable of its name, by this method of Variables."""
    return field(metadata={"read": lambda env, name: method(env, name, default, *arguments)})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one installation. Durations are in seconds."""

    instance_dir: Path
    database_url: str
    secret_key: bytes
    old_secret_keys: tuple[bytes, ...]
    require_https: bool
    policy: Policy
    redis_url: str | None = _read(Variables.parsed, None, redis_urls.redis_url)
    mail_url: str | None = _read(Variables.parsed, None, urls.mail_url)
    key_brand: str = _read(Variables.text, "rag", BRAND)
    bcrypt_cost: int = _read(Variables.number, 12, validate.Range(10, 15))
    access_token_seconds: int = _read(Variables.number, 3600, SECONDS)
    refresh_token_seconds: int = _read(Variables.number, 604_800, SECONDS)
    login_failures_per_account: int = _read(Variables.number, 10, COUNT)
    login_failures_per_address: int = _read(Variables.number, 50, COUNT)
    signups_per_address: int = _read(Variables.number, 60, COUNT)
    trusted_proxies: int = _read(Variables.number, 0, validate.Range(0, 10))
    cors_origins: tuple[str, ...] = _read(Variables.parsed, (), origins_in)
    refresh_cookie: bool = _read(Variables.flag, False)
    session_seconds: int = _read(Variables.number, _THIRTY_DAYS, SECONDS)
    reservation_seconds: int = _read(Variables.number, 900, validate.Range(1, 86_400))
    event_days: int = _read(Variables.number, 365, validate.Range(1, 36_500))
    mail_from: str = _read(Variables.text, "ragauth <no-reply@localhost>", is_mailbox)
    dashboard_url: str | None = _read(Variables.parsed, None, urls.page_url)
    compat: tuple[str, ...] = _read(Variables.words, (), each_is_one_of(*COMPAT_FACES))
    compat_query_upstream: str | None = _read(Variables.parsed, None, urls.upstream_url)
    webhook_private_networks: bool = _read(Variables.flag, False)
    metrics_token: str | None = _read(Variables.text, None, is_bearer_token)
    github_keys_url: str | None = _read(Variables.parsed, None, urls.github_keys_url)
    leaked_keys: str = _read(Variables.text, "notify", LEAKED_KEYS)
    database_pooler: str | None = _read(Variables.text, None, POOLER)

    @property
    def is_pooled(self) -> bool:
        """Whether a pooler may give each transaction another Postgres session."""
        return self.database_pooler is not None

    @property
    def uses_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def database_place(self) -> str:
        """The database's URL without user, password and parameters, which may contain these too."""
        if self.uses_sqlite:
            return self.database_url
        # In the canonical form any other @ and ? is percent-encoded.
        place = self.database_url.removeprefix("postgresql://").rpartition("@")[2]
        return f"postgresql://{place.partition('?')[0]}"


def read_settings() -> Settings:
    """Read the environment, and create a missing instance if this process may.

    Raises SettingsError that names every missing, malformed or unknown setting, or the folder
    without an instance.
    """
    # A policy file must be checkable while the settings do not fit yet.
    variables = {} if is_checking_policy() else read_variables()
    env = Variables(PREFIX, variables)
    instance_dir = env.path("INSTANCE_DIR", default_instance_dir()).absolute()
    database_url = env.parsed(
        "DATABASE_URL",
        urls.sqlite_url(instance_dir / "ragauth.db"),
        partial(urls.database_url, instance_dir=instance_dir),
    )
    secret_key = env.text("SECRET_KEY", "").encode()
    old_secret_keys = [key.encode() for key in env.words("OLD_SECRET_KEYS", ())]
    require_https = env.flag("REQUIRE_HTTPS", None)
    policy = env.parsed("POLICY_FILE", DEFAULT_POLICY, policy_in)
    values = {
        setting.name: setting.metadata["read"](env, setting.name.upper())
        for setting in fields(Settings)
        if "read" in setting.metadata
    }

    uses_sqlite = database_url.startswith("sqlite")
    if secret_key and len(secret_key) < MIN_SECRET_BYTES:
        env.fault("SECRET_KEY", f"must be at least {MIN_SECRET_BYTES} bytes long")
    if not env.raw("SECRET_KEY").strip() and not uses_sqlite:
        env.fault(
            "SECRET_KEY",
            "required with Postgres; every host needs the same one"
            " (make one with: openssl rand -base64 48)",
        )
    if values["database_pooler"] and uses_sqlite:
        env.fault("DATABASE_POOLER", "SQLite has no pooler; RAGAUTH_DATABASE_URL names no Postgres")
    if any(len(key) < MIN_SECRET_BYTES for key in old_secret_keys):
        env.fault("OLD_SECRET_KEYS", f"each must be at least {MIN_SECRET_BYTES} bytes long")
    faults = env.faults + unknown_settings({*env.names, SERVER_SETTING, SETTINGS_FILE}, variables)
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
        old_secret_keys=tuple(old_secret_keys),
        require_https=(not uses_sqlite) if require_https is None else require_https,
        policy=policy,
        **values,
    )


def _file_of(sqlite_url: str) -> Path:
    return Path(unquote(sqlite_url.removeprefix("sqlite:///").partition("?")[0]))
