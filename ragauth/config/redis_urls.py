"""The URL of Redis: one server, one that Sentinels name, or a Cluster; with TLS or without.

The schemes are those of redis-py and, for Sentinel and Cluster, of `limits` (Flask-Limiter).
"""

import re
from typing import NamedTuple

from marshmallow import ValidationError

from ragauth.config.urls import Host, Url, read_url, refuse_unknown, require_file

#: A bound, because each host may be asked in turn while a check waits.
_MOST_HOSTS = 9
_PORT = 6379
_SENTINEL_PORT = 26379
_SENTINEL = ("redis+sentinel", "rediss+sentinel")
_CLUSTER = ("redis+cluster", "rediss+cluster")
_SCHEMES = ("redis", "rediss", "unix", *_SENTINEL, *_CLUSTER)
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TLS = (*_FILES, "ssl_cert_reqs", "ssl_check_hostname")
_TRUTHS = ("true", "false")
_DATABASE = re.compile("[0-9]{1,5}")
# Names that CLIENT SETNAME accepts.
_CLIENT_NAME = re.compile(r"[!-~]*+")
# Names of primaries that Sentinel accepts.
_SERVICE = re.compile(r"[A-Za-z0-9._-]++")


class RedisPlace(NamedTuple):
    """Where Redis is: hosts with their ports, or the path of a socket; no user and no password."""

    #: "one", "sentinel" or "cluster".
    kind: str
    hosts: tuple[tuple[str, int], ...]
    #: The name that the Sentinels know the primary by, or the path of a socket.
    name: str
    database: int

    def __str__(self) -> str:
        hosts = ",".join(str(Host(*host)) for host in self.hosts)
        if self.kind == "sentinel":
            return f"{self.name} (Sentinel {hosts})"
        return hosts or self.name


def redis_url(text: str) -> str:
    """The canonical form of the URL, with redis-py's names; raises ValidationError.

    Only those of redis-py's many parameters are allowed that an operator may need: the others
    change how answers are parsed, or how long ragauth waits for them.
    """
    url = read_redis_url(text)
    _refuse_parameters(url)
    query = dict(url.query)
    if url.scheme == "unix":
        if url.host.name or not url.path.strip("/"):
            raise ValidationError("must be like unix:///run/redis/redis.sock?db=0")
        _require_database(query.get("db", "0"))
    elif url.scheme in _SENTINEL:
        url = url._replace(path=_sentinel_path(url, query.pop("db", None)))
    else:
        url = url._replace(path=_database_path(url, query.pop("db", None)))
    return url._replace(query=query).text()


def read_redis_url(text: str) -> Url:
    """Parse the URL; raises ValidationError for another scheme."""
    return read_url(text, _SCHEMES)


def redis_place(url: str) -> RedisPlace:
    """The place of Redis in a URL that `redis_url` returned."""
    parts = read_redis_url(url)
    if parts.scheme == "unix":
        return RedisPlace("one", (), parts.path, int(parts.query.get("db", "0")))
    kind = parts.scheme.partition("+")[2] or "one"
    port = _SENTINEL_PORT if kind == "sentinel" else _PORT
    hosts = tuple((host.name, host.port or port) for host in parts.hosts)
    path = parts.path.strip("/")
    service, _, database = path.partition("/") if kind == "sentinel" else ("", "", path)
    return RedisPlace(kind, hosts, service, int(database or 0))


def is_unverified(url: str) -> bool:
    """Whether the server's certificate is not verified."""
    return read_redis_url(url).query.get("ssl_cert_reqs") == "none"


def _refuse_parameters(url: Url) -> None:
    is_tls = url.scheme.startswith("rediss")
    is_sentinel = url.scheme in _SENTINEL
    refuse_unknown(
        url.query,
        (
            *(("db",) if url.scheme not in _CLUSTER else ()),
            "client_name",
            *(("sentinel_username", "sentinel_password") if is_sentinel else ()),
            *(_TLS if is_tls else ()),
        ),
        f"{url.scheme}:// (rediss:// is TLS)",
    )
    if url.query.get("ssl_cert_reqs", "required") not in ("none", "optional", "required"):
        raise ValidationError("ssl_cert_reqs must be none, optional or required")
    if url.query.get("ssl_check_hostname", "true").lower() not in _TRUTHS:
        raise ValidationError("ssl_check_hostname must be true or false")
    if not _CLIENT_NAME.fullmatch(url.query.get("client_name", "")):
        raise ValidationError("client_name must be of printable ASCII characters, without spaces")
    if "sentinel_username" in url.query and "sentinel_password" not in url.query:
        raise ValidationError("sentinel_username needs sentinel_password")
    for parameter in _FILES:
        if parameter in url.query:
            require_file(parameter, url.query[parameter])


def _sentinel_path(url: Url, database: str | None) -> str:
    _require_hosts(url, "must be like redis+sentinel://:password@host:26379,other:26379/name/0")
    service, _, in_path = url.path.strip("/").partition("/")
    if not _SERVICE.fullmatch(service):
        raise ValidationError("must name the primary as the Sentinels do, as /mymaster or /name/0")
    return f"/{service}/{_named_once(in_path, database) or '0'}"


def _database_path(url: Url, database: str | None) -> str:
    if url.scheme in _CLUSTER:
        _require_hosts(url, "must be like redis+cluster://:password@host:6379,other:6379")
        if url.path.strip("/") not in ("", "0"):
            raise ValidationError("must name no database: a Cluster has only number 0")
        return ""
    if not url.host.name:
        raise ValidationError("must be like redis://:password@host:6379/0")
    number = _named_once(url.path.strip("/"), database)
    return f"/{number}" if number else ""


def _named_once(in_path: str, in_query: str | None) -> str:
    if in_path and in_query is not None:
        raise ValidationError("must name the database once: as /0 or as ?db=0")
    number = in_path if in_query is None else in_query
    if number:
        _require_database(number)
    return number


def _require_database(number: str) -> None:
    if not _DATABASE.fullmatch(number):
        raise ValidationError("must name the database by its number, as /0 or as ?db=0")


def _require_hosts(url: Url, example: str) -> None:
    if any(not host.name or host.name.startswith("/") for host in url.hosts):
        raise ValidationError(example)
    if len(url.hosts) > _MOST_HOSTS:
        raise ValidationError(f"must name at most {_MOST_HOSTS} hosts")
