"""The settings: read once from the environment, typed, each fault named in one line.

Nothing else in the package reads `os.environ`.
"""

import os
import re
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from environs import Env, EnvValidationError, ValidationError, validate

MIN_SECRET_BYTES = 32
MAX_BODY_BYTES = 64 * 1024

_LOGIN_FAILURES_PER_ACCOUNT = 10
_LOGIN_FAILURES_PER_ADDRESS = 50
_SIGNUPS_PER_ADDRESS = 60


class SettingsError(Exception):
    """One or more settings are missing or malformed; one line for each."""


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

    @property
    def uses_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def without_effect(self) -> list[str]:
        """Settings that ask for what this version does not do; whoever set one must know."""
        asked_for = {
            "RAGAUTH_MAIL_URL": self.mail_url is not None,
            "RAGAUTH_REFRESH_COOKIE": self.refresh_cookie,
            "RAGAUTH_LOGIN_FAILURES_PER_ACCOUNT": self.login_failures_per_account
            not in (0, _LOGIN_FAILURES_PER_ACCOUNT),
            "RAGAUTH_LOGIN_FAILURES_PER_ADDRESS": self.login_failures_per_address
            not in (0, _LOGIN_FAILURES_PER_ADDRESS),
            "RAGAUTH_SIGNUPS_PER_ADDRESS": self.signups_per_address
            not in (0, _SIGNUPS_PER_ADDRESS),
        }
        return [name for name, is_asked_for in asked_for.items() if is_asked_for]


def read_settings() -> Settings:
    """Read the environment.

    Raises SettingsError naming every setting that is missing or malformed.
    """
    env = Env(eager=False, expand_vars=False)
    with env.prefixed("RAGAUTH_"):
        instance_dir = Path(env.str("INSTANCE_DIR", "instance")).absolute()
        database_url = env.str("DATABASE_URL", f"sqlite:///{instance_dir / 'ragauth.db'}")
        secret_key = env.str("SECRET_KEY", None)
        redis_url = env.str("REDIS_URL", None, validate=_url_of("redis", "rediss", "unix"))
        plans_file = env.path("PLANS_FILE", None)
        mail_url = env.str("MAIL_URL", None, validate=_url_of("smtp", "smtps"))
        key_brand = env.str("KEY_BRAND", "rag", validate=_BRAND)
        bcrypt_cost = env.int("BCRYPT_COST", 12, validate=validate.Range(10, 15))
        access_token_seconds = env.int("ACCESS_TOKEN_SECONDS", 3600, validate=_SECONDS)
        refresh_token_seconds = env.int("REFRESH_TOKEN_SECONDS", 604800, validate=_SECONDS)
        login_failures_per_account = env.int(
            "LOGIN_FAILURES_PER_ACCOUNT", _LOGIN_FAILURES_PER_ACCOUNT, validate=_COUNT
        )
        login_failures_per_address = env.int(
            "LOGIN_FAILURES_PER_ADDRESS", _LOGIN_FAILURES_PER_ADDRESS, validate=_COUNT
        )
        signups_per_address = env.int("SIGNUPS_PER_ADDRESS", _SIGNUPS_PER_ADDRESS, validate=_COUNT)
        require_https = env.bool("REQUIRE_HTTPS", None)
        trusted_proxies = env.int("TRUSTED_PROXIES", 0, validate=validate.Range(0, 10))
        cors_origins: list[str] = env.list("CORS_ORIGINS", [], validate=_each_is_an_origin)
        refresh_cookie = env.bool("REFRESH_COOKIE", False)
    faults = _collect_faults(env)

    try:
        database_url = _normalise_database_url(database_url)
    except ValidationError as error:
        faults.append(f"RAGAUTH_DATABASE_URL: {' '.join(map(str, error.messages))}")
    uses_sqlite = database_url.startswith("sqlite")
    if secret_key is not None and len(secret_key.encode()) < MIN_SECRET_BYTES:
        faults.append(f"RAGAUTH_SECRET_KEY: must be at least {MIN_SECRET_BYTES} bytes long")
    if secret_key is None and not uses_sqlite:
        faults.append(
            "RAGAUTH_SECRET_KEY: required with Postgres; every host needs the same one"
            " (make one with: openssl rand -base64 48)"
        )
    if plans_file is not None and not plans_file.is_file():
        faults.append(f"RAGAUTH_PLANS_FILE: there is no file {plans_file}")
    if faults:
        raise SettingsError("\nragauth: ".join(faults))

    try:
        instance_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(_UNUSABLE.format(instance_dir, error.strerror)) from error
    return Settings(
        instance_dir=instance_dir,
        database_url=database_url,
        secret_key=secret_key.encode() if secret_key else _embedded_secret_key(instance_dir),
        redis_url=redis_url or None,
        plans_file=plans_file,
        mail_url=mail_url or None,
        key_brand=key_brand,
        bcrypt_cost=bcrypt_cost,
        access_token_seconds=access_token_seconds,
        refresh_token_seconds=refresh_token_seconds,
        login_failures_per_account=login_failures_per_account,
        login_failures_per_address=login_failures_per_address,
        signups_per_address=signups_per_address,
        require_https=(not uses_sqlite) if require_https is None else require_https,
        trusted_proxies=trusted_proxies,
        cors_origins=tuple(origin.strip() for origin in cors_origins),
        refresh_cookie=refresh_cookie,
    )


def is_flask_command() -> bool:
    """Whether this process is `flask …`, not a server's."""
    return os.environ.get("FLASK_RUN_FROM_CLI") == "true"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How gunicorn serves: where it listens and with how many processes."""

    host: str
    port: int
    workers: int
    threads: int


def read_server_settings() -> ServerSettings:
    """Read HOST, PORT, WEB_CONCURRENCY (processes) and WEB_THREADS (threads in each)."""
    env = Env(eager=False)
    settings = ServerSettings(
        host=env.str("HOST", "127.0.0.1"),
        port=env.int("PORT", 8000, validate=validate.Range(0, 65535)),
        workers=env.int("WEB_CONCURRENCY", os.cpu_count() or 1, validate=_POSITIVE),
        threads=env.int("WEB_THREADS", 8, validate=_POSITIVE),
    )
    faults = _collect_faults(env)
    if faults:
        raise SettingsError("\nragauth: ".join(faults))
    return settings


_UNUSABLE = "RAGAUTH_INSTANCE_DIR: cannot use {}: {}"
_TEN_YEARS = 315_360_000
_SECONDS = validate.Range(1, _TEN_YEARS, error="must be 1 second to 10 years")
# Nothing that a regular expression would read otherwise: CORS matches what is listed, no more.
_ORIGIN = re.compile(r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
_POSITIVE = validate.Range(min=1, error="must be at least 1")
_COUNT = validate.Range(min=0, error="must be 0 (off) or more")
_BRAND = validate.Regexp(r"^[a-z][a-z0-9]{1,15}\Z", error="must be 2 to 16 of a-z and 0-9")


def _url_of(*schemes: str) -> Callable[[str | None], None]:
    def check(value: str | None) -> None:
        if value and not _is_url(value, schemes):
            raise ValidationError(f"must be a URL that starts with {' or '.join(schemes)}")

    return check


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _each_is_an_origin(origins: list[str]) -> None:
    for origin in map(str.strip, origins):
        if _ORIGIN.fullmatch(origin) is None:
            raise ValidationError(f"{origin!r} is not an origin such as https://app.test")


def _collect_faults(env: Env) -> list[str]:
    try:
        env.seal()
    except EnvValidationError as error:
        messages: dict[str, list[str]] = error.error_messages  # type: ignore[assignment]
        return [f"{name}: {' '.join(texts)}" for name, texts in messages.items()]
    return []


def _normalise_database_url(url: str) -> str:
    """`postgres://` and `postgresql://` both mean psycopg 3."""
    scheme, separator, rest = url.partition("://")
    is_postgres = scheme in ("postgres", "postgresql", "postgresql+psycopg") and rest
    if is_postgres and _is_url(url, (scheme,)):
        return f"postgresql+psycopg://{rest}"
    if scheme == "sqlite" and separator and rest.startswith("/") and len(rest) > 1:
        return url
    raise ValidationError("must start with postgresql:// or sqlite:///")


def _embedded_secret_key(instance_dir: Path) -> bytes:
    """The installation's own secret, made at the first start, mode 0600.

    Two first starts at once agree on one: the file appears whole, by a hard link that only one
    of them can make.
    """
    path = instance_dir / "secret_key"
    try:
        if not path.exists():
            descriptor, temporary = tempfile.mkstemp(dir=instance_dir, prefix=".secret_key-")
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
            try:
                os.link(temporary, path)
            except FileExistsError:
                pass  # another start was first; its secret is the one
            finally:
                os.unlink(temporary)
        secret_key = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(_UNUSABLE.format(instance_dir, error.strerror)) from error
    if len(secret_key) < MIN_SECRET_BYTES:
        raise SettingsError(f"RAGAUTH_SECRET_KEY: the one in {path} is damaged")
    return secret_key
