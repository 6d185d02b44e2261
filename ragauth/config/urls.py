"""The URLs among the settings: parsed once, and refused if faulty; messages show no part of them.

Drivers parse the same text differently, and some ignore what they do not know. So each URL is
parsed here, checked against what its driver accepts, and written in a canonical form that every
driver parses alike.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from marshmallow import ValidationError

_ENCODE = (
    "user and password must be percent-encoded: %25 for %, %40 for @, %2F for /, %3A for :,"
    " %3F for ?, %23 for #"
)
_HOST = re.compile(
    r"(\[(?P<address>[0-9A-Fa-f:.]{2,45}(%25[A-Za-z0-9._~-]{1,20})?)\]"
    r"|(?P<name>[A-Za-z0-9_]([A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?)"
    # The folder of a Unix socket, which libpq accepts in place of a host.
    r"|(?P<folder>%2[Ff][A-Za-z0-9._~%-]*))?(:(?P<port>[0-9]{1,5}))?"
)
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_AFTER_HOSTS = re.compile(r"[/?#]")
_TARGET = re.compile(r"(?P<hosts>[^/?#@]*+)(?P<path>/[^?#@]*+)?(\?(?P<query>[^#]*+))?")
_PARAMETER = re.compile(r"\w++")
_COUNT = re.compile("[0-9]{1,9}")


class Host(NamedTuple):
    """A host and its port, either of which may be missing; an IPv6 address has no brackets."""

    name: str
    port: int | None

    def __str__(self) -> str:
        name = quote(self.name, safe=":")
        name = f"[{name}]" if ":" in name else name
        return name if self.port is None else f"{name}:{self.port}"


class Url(NamedTuple):
    """A URL in parts, each of them decoded."""

    scheme: str
    user: str | None
    password: str | None
    hosts: tuple[Host, ...]
    path: str
    query: Mapping[str, str]

    @property
    def host(self) -> Host:
        """The only host; raises ValidationError for a list of hosts or a folder."""
        if len(self.hosts) > 1 or self.hosts[0].name.startswith("/"):
            raise ValidationError("must name one host")
        return self.hosts[0]

    def text(self, scheme: str | None = None) -> str:
        """The canonical form: lower-case scheme, all ambiguous characters percent-encoded."""
        user = "" if self.user is None else quote(self.user, safe="")
        password = "" if self.password is None else f":{quote(self.password, safe='')}"
        at = "@" if user or password else ""
        hosts = ",".join(map(str, self.hosts))
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in self.query.items())
        return (
            f"{scheme or self.scheme}://{user}{password}{at}{hosts}{quote(self.path)}"
            f"{'?' if query else ''}{query}"
        )


def read_url(text: str, schemes: tuple[str, ...]) -> Url:
    """Parse a URL; raises ValidationError.

    The password may contain unencoded `@ / ? # [ ]` if the URL is unambiguous.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in schemes:
        raise ValidationError(f"must start with {' or '.join(f'{each}://' for each in schemes)}")
    if not text.isprintable() or " " in text:
        raise ValidationError("must hold no space and no control character")
    readings = _readings(rest)
    if not readings:
        raise ValidationError(_ENCODE if "@" in rest else _fault_of(rest))
    if len(readings) > 1:
        raise ValidationError(f"can be read in more than one way: {_ENCODE}; so must parameters")
    ((credentials, (hosts, path, query)),) = readings.items()
    user, colon, password = credentials.partition(":")
    if _STRAY_PERCENT.search(credentials):
        raise ValidationError(_ENCODE)
    return Url(
        scheme.lower(),
        unquote(user) if user else None,
        unquote(password) if colon else None,
        hosts,
        path,
        query,
    )


_Target = tuple[tuple[Host, ...], str, dict[str, str]]


def _readings(rest: str) -> dict[str, _Target]:
    """Each possible reading: the part before the `@`, and the target after it."""
    authority = _AFTER_HOSTS.split(rest, maxsplit=1)[0]
    # A later @ can end a password only if a user's name and a colon come before.
    ends = {authority.rfind("@")} | {
        place for place, character in enumerate(rest) if character == "@" and ":" in rest[:place]
    }
    found = ((rest[: max(end, 0)], _target(rest[end + 1 :])) for end in ends)
    return {credentials: target for credentials, target in found if target is not None}


def _target(text: str) -> _Target | None:
    """Hosts, path and parameters of the part after the credentials; None if it is no target."""
    match = _TARGET.fullmatch(text)
    if match is None or _STRAY_PERCENT.search(text):
        return None
    hosts = []
    for each in match["hosts"].split(","):
        host = _HOST.fullmatch(each)
        if host is None or (host["port"] and not 0 < int(host["port"]) < 65536):
            return None
        name = unquote(host["address"] or host["folder"] or "") or host["name"] or ""
        hosts.append(Host(name, int(host["port"]) if host["port"] else None))
    query: dict[str, str] = {}
    for pair in filter(None, (match["query"] or "").split("&")):
        name, equals, value = pair.partition("=")
        if not equals or not _PARAMETER.fullmatch(name) or name in query:
            return None
        # A + stays a +: libpq and redis-py, unlike HTML forms, do not make a space of it.
        query[name] = unquote(value)
    return tuple(hosts), unquote(match["path"] or ""), query


def _fault_of(text: str) -> str:
    """Why a text (without a password) is no target."""
    if "#" in text:
        return "must hold no #"
    if _STRAY_PERCENT.search(text):
        return "holds a % that is not percent-encoded (%25)"
    if _target(_AFTER_HOSTS.split(text, maxsplit=1)[0]) is None:
        return (
            "must name a host such as db.example.com or [::1], and a port from 1 to 65535 if any;"
            f" {_ENCODE}"
        )
    return "must have parameters like ?name=value&other=value, each once"


def refuse_unknown(query: Mapping[str, str], known: tuple[str, ...], whose: str) -> None:
    unknown = sorted(set(query) - set(known))
    if unknown:
        raise ValidationError(
            f"{whose} does not know the parameter {', '.join(unknown)}"
            + (f"; it knows {', '.join(known)}" if known else "")
        )


def require_file(parameter: str, path: str) -> None:
    if not Path(path).is_file():
        raise ValidationError(f"{parameter} names no file that is there")


def page_url(text: str) -> str:
    """`http://` or `https://`, with a host and perhaps a path; without the slash at its end."""
    url = read_url(text, ("http", "https"))
    if url.user is not None or url.password is not None:
        raise ValidationError("must be like https://app.example.com, without a user")
    return _web_url(url)


def upstream_url(text: str) -> str:
    """As `page_url`, for a service that is called; user and password are allowed (RFC 7617)."""
    return _web_url(read_url(text, ("http", "https")))


def github_keys_url(text: str) -> str:
    """As `page_url`: a list of keys that are believed, so only over TLS, or from this host."""
    url = page_url(text)
    host = read_url(url, ("http", "https")).host.name
    if url.startswith("http://") and not _is_loopback(host):
        raise ValidationError("must start with https://")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _web_url(url: Url) -> str:
    if not url.host.name or url.query:
        raise ValidationError("must be like https://app.example.com, without parameters")
    return url.text().rstrip("/")


def mail_url(text: str) -> str:
    """`smtp://` or `smtps://`, a host, and user and password both or neither; nothing after it."""
    url = read_url(text, ("smtp", "smtps"))
    if not url.host.name or url.path.strip("/") or url.query:
        raise ValidationError("must be like smtp://user:password@host:587")
    if bool(url.user) != bool(url.password):
        raise ValidationError("must hold a user and a password, or neither")
    if not f"{url.user}{url.password}".isascii():
        raise ValidationError("must hold a user and a password in ASCII")
    return url._replace(path="").text()


_NO_DATABASE = "must be postgresql://user:password@host/name or sqlite:////folder/file.db"
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_POSTGRES_FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl", "passfile")
_NUMBERS = (
    *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval"),
    *("keepalives_count", "tcp_user_timeout"),
)
_NO_FOLDER = "/nonexistent"
_SPOILT = "gssencmode"
# Values that a server which accepts writes can satisfy.
_TARGETS = ("read-write", "primary", "any")


def database_url(text: str, instance_dir: Path) -> str:
    """Postgres in libpq's own form, or a file of SQLite by its absolute path."""
    scheme = text.partition("://")[0].lower()
    if scheme == "sqlite":
        return _sqlite_url(text, instance_dir)
    if scheme in _POSTGRES:
        return _postgres_url(text)
    raise ValidationError(_NO_DATABASE)


def _sqlite_url(text: str, instance_dir: Path) -> str:
    """A SQLite URL; a relative path starts in the instance folder."""
    rest = text.partition("://")[2]
    if not rest.startswith("/") or rest == "/" or rest.startswith("/:memory:"):
        raise ValidationError(
            "must name a file, as sqlite:////folder/file.db or, in the instance folder,"
            " sqlite:///file.db: workers cannot share a database in memory"
        )
    if "?" in rest:
        raise ValidationError("a sqlite:/// URL has no parameters (%3F for a ? in the path)")
    if _STRAY_PERCENT.search(rest):
        raise ValidationError("holds a % that is not percent-encoded (%25)")
    name = unquote(rest[1:])
    if not name.isprintable():
        raise ValidationError("must hold no control character")
    path = instance_dir / name
    # The instance folder is created when needed; any other folder must exist.
    if path.parent != instance_dir and not path.parent.is_dir():
        raise ValidationError(f"there is no folder {path.parent}")
    if path.is_dir():
        raise ValidationError(f"{path} is a folder")
    if path.parent.is_dir() and not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValidationError(f"cannot write in {path.parent}")
    return sqlite_url(path)


def sqlite_url(path: Path) -> str:
    """The URL of a file; its name is percent-encoded."""
    return f"sqlite:///{quote(str(path))}"


def _postgres_url(text: str) -> str:
    """Pass on parameters that libpq knows; refuse others, which would fail at each connection."""
    # Imported only for Postgres: a start with SQLite needs no Postgres driver.
    from psycopg.pq import Conninfo  # noqa: PLC0415

    url = read_url(text, _POSTGRES)
    if not any((url.hosts[0].name, url.path.strip("/"), url.query)):
        raise ValidationError(_NO_DATABASE)
    query = dict(url.query)
    if query.get("ssl") == "true":
        # As libpq itself does, for JDBC's URLs.
        del query["ssl"]
        query["sslmode"] = "require"
    unknown = sorted(set(query) - {each.keyword.decode() for each in Conninfo.get_defaults()})
    if unknown:
        raise ValidationError(
            f"libpq does not know the parameter {', '.join(unknown)}"
            " (a schema is named by options=-csearch_path%3Dname)"
        )
    if query.get("client_encoding", "UTF8").upper().replace("-", "") not in ("UTF8", "AUTO"):
        raise ValidationError("client_encoding must be UTF8")
    if "replication" in query:
        raise ValidationError("replication is not for a service")
    for parameter in _NUMBERS:
        if parameter in query and not _COUNT.fullmatch(query[parameter]):
            raise ValidationError(f"{parameter} must be a whole number")
    for address in filter(None, query.get("hostaddr", "").split(",")):
        if not _is_address(address):
            raise ValidationError("hostaddr must be an address, such as 192.0.2.1")
    for parameter in _POSTGRES_FILES:
        if query.get(parameter, "system") != "system":
            require_file(parameter, query[parameter])
    if query.get("target_session_attrs", "any") in ("read-only", "standby", "prefer-standby"):
        raise ValidationError(f"target_session_attrs must be {', '.join(_TARGETS)}")
    told = _as_libpq_reads_it(url._replace(query=query).text("postgresql"))
    _let_libpq_look(told)
    if "service" in query:
        # psycopg tries host after host, each for `connect_timeout`, only if it gets the hosts as
        # parameters.
        query |= {name: told[name] for name in ("host", "hostaddr", "port") if told.get(name)}
        url = url._replace(hosts=(Host("", None),))
    if "target_session_attrs" not in query:
        target = told["target_session_attrs"]
        if target not in _TARGETS:
            raise ValidationError(f"target_session_attrs must be {', '.join(_TARGETS)}")
        if target == "any":
            # A standby may be behind, and would still accept a revoked key.
            target = "read-write" if len(_hosts_of(told)) > 1 else "primary"
        query["target_session_attrs"] = target
    return url._replace(query=query).text("postgresql")


def _hosts_of(told: Mapping[str, str]) -> list[str]:
    return (told.get("host") or told.get("hostaddr") or "").split(",")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _as_libpq_reads_it(url: str) -> dict[str, str]:
    """The effective parameters: the URL's, its service's, the environment's, libpq's defaults.

    Raises ValidationError.
    """
    from psycopg import ProgrammingError  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415
    from psycopg.pq import PGconn  # noqa: PLC0415

    try:
        parameters = conninfo_to_dict(url)
    except ProgrammingError as error:
        raise ValidationError("libpq cannot read it") from error
    # With one invalid value libpq still reports all its parameters, but looks up no host.
    connection = PGconn.connect_start(make_conninfo("", **{**parameters, _SPOILT: "x"}).encode())
    told = {each.keyword.decode(): each.val.decode() for each in connection.info if each.val}
    connection.finish()
    told.pop(_SPOILT, None)
    return {**told, **{name: str(value) for name, value in parameters.items()}}


def _let_libpq_look(told: Mapping[str, str]) -> None:
    """Raise ValidationError for values that libpq refuses.

    libpq checks them only when it connects. So it is told to connect to a socket that cannot exist,
    and fails at once: with the error of that socket if all values are right.
    """
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415
    from psycopg.pq import PGconn  # noqa: PLC0415

    # The service's parameters are included already, with its hosts.
    parameters = {name: value for name, value in told.items() if name != "hostaddr"}
    parameters["host"] = ",".join([_NO_FOLDER] * len(_hosts_of(told)))
    connection = PGconn.connect_start(make_conninfo("", **parameters).encode())
    words = connection.error_message.decode(errors="replace").partition("\n")[0]
    connection.finish()
    if not words.startswith("connection to server"):
        raise ValidationError(f"libpq refuses it: {words}")
