"""What libpq knows of TLS, passwords and services works with a real Postgres that asks for it."""

import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal
from sqlalchemy.exc import OperationalError

from ragauth.config.urls import database_url
from ragauth.database_faults import DatabaseFault, fault_of
from ragauth.extensions import db
from ragauth.models.reads.prepared import PreparedReads
from tests.applications import make_settings, running_app
from tests.servers.certificates import write_certificate
from tests.servers.postgres import OwnPostgresServer
from tests.servers.processes import memory_folder, refusing_port

#: Any character, those that a URL, a passfile and a service file use for themselves among them.
PASSWORD = "a:b\\c@d/e?f#g[h]i%j k&l=m+n,'o\"p;q$r{s}é"
USER = "us:er@ é%"
_RULES = """
host    all postgres 127.0.0.1/32 trust
hostssl all all      127.0.0.1/32 scram-sha-256
"""
# The wheel's Postgres knows no TLS.
_WITH_TLS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))

pytestmark = pytest.mark.skipif(
    not _WITH_TLS, reason="needs a Postgres with TLS: Debian's package postgresql"
)


class Place(NamedTuple):
    """A server that takes the odd user's password over TLS alone."""

    port: int
    authority: Path
    stranger: Path
    # A port that refuses every connection.
    nobody: int

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}/postgres"

    @property
    def tls(self) -> str:
        return f"sslmode=verify-full&sslrootcert={self.authority}"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="ragauth-tls-", dir=memory_folder(256)) as name:
        folder = Path(name)
        server = OwnPostgresServer(folder, programs=_WITH_TLS[-1].parents[1])
        stranger = folder / "stranger"
        stranger.mkdir()
        certificate, key = write_certificate(folder)
        shutil.chown(key, *server.owner)
        server.settings |= {
            "ssl": "on",
            "ssl_cert_file": str(certificate),
            "ssl_key_file": str(key),
        }
        (server.data / "pg_hba.conf").write_text(_RULES)
        server.start()
        try:
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute(
                    SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        Identifier(USER), Literal(PASSWORD)
                    )
                )
            with refusing_port() as nobody:
                yield Place(server.port, certificate, write_certificate(stranger)[0], nobody)
        finally:
            server.stop()


def seen(url: str, folder: Path) -> set[tuple[str, bool]]:
    """Who asks, and whether over TLS: the pool, and the reads of each check."""
    question = "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    settings = make_settings(folder, database_url(url, folder))
    with running_app(settings) as app, app.app_context():
        reads = PreparedReads(db.engine, settings.database_url)
        with db.engine.connect() as connection:
            pooled = connection.exec_driver_sql(question).one()
        (held,) = reads.read(question, {})
        reads.close()
    return {(user, encrypted) for user, encrypted in (pooled, held)}


def _in_the_url(place: Place, _folder: Path) -> str:
    user, password = quote(USER, safe=""), quote(PASSWORD, safe="")
    return f"postgresql://{user}:{password}@{place.target}?{place.tls}"


def _in_a_passfile(place: Place, folder: Path) -> str:
    def escape(text: str) -> str:
        return text.replace("\\", "\\\\").replace(":", "\\:")

    passfile = folder / "pass file"
    passfile.write_text(f"127.0.0.1:{place.port}:*:{escape(USER)}:{escape(PASSWORD)}\n")
    passfile.chmod(0o600)
    user = quote(USER, safe="")
    return f"postgresql://{user}@{place.target}?{place.tls}&passfile={quote(str(passfile))}"


def _in_a_service(place: Place, folder: Path) -> str:
    (folder / "services").write_text(
        # The first of the hosts is gone.
        f"[auth]\nhost=127.0.0.1,127.0.0.1\nport={place.nobody},{place.port}\ndbname=postgres\n"
        f"user={USER}\npassword={PASSWORD}\n"
        f"sslmode=verify-full\nsslrootcert={place.authority}\n"
    )
    return "postgresql:///?service=auth"


def _beside_another(place: Place, folder: Path) -> str:
    url = _in_the_url(place, folder)
    return url.replace("@127.0.0.1:", f"@127.0.0.1:{place.nobody},127.0.0.1:")


@pytest.mark.parametrize(
    "write",
    [_in_the_url, _in_a_passfile, _in_a_service, _beside_another],
    ids=lambda each: each.__name__,
)
def test_any_user_and_password_connect_over_tls(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Place, Path], str],
) -> None:
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    assert seen(write(place, tmp_path), tmp_path) == {(USER, True)}


def test_a_host_that_is_silent_is_passed_over(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each host of a service has `connect_timeout`, not all of them together."""
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (tmp_path / "services").write_text(
            "[auth]\nhost=127.0.0.1,127.0.0.1\nuser=postgres\nconnect_timeout=2\n"
            f"port={silent.getsockname()[1]},{place.port}\n"
        )
        url = database_url("postgresql:///postgres?service=auth", tmp_path)
        with running_app(make_settings(tmp_path, url)) as app, app.app_context():
            reads = PreparedReads(db.engine, url)
            assert reads.read("SELECT current_user", {}) == [("postgres",)]
            reads.close()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda url, place: url.replace(place.authority.as_posix(), place.stranger.as_posix()),
            DatabaseFault.NO_TLS,
        ),
        # The certificate is for the address, not for the name.
        (lambda url, _place: url.replace("@127.0.0.1", "@localhost"), DatabaseFault.NO_TLS),
        (lambda url, _place: url.partition("?")[0] + "?sslmode=disable", DatabaseFault.REFUSED),
        (lambda url, _place: url.replace("%25j", "%25J"), DatabaseFault.REFUSED),
    ],
    ids=["another authority", "another name", "no TLS", "another password"],
)
def test_what_does_not_fit_is_refused_and_told(
    place: Place,
    tmp_path: Path,
    change: Callable[[str, Place], str],
    fault: DatabaseFault,
) -> None:
    url = change(_in_the_url(place, tmp_path), place)
    with pytest.raises(OperationalError) as caught:
        seen(url, tmp_path)
    assert fault_of(caught.value) is fault
