"""Redis with TLS, each side with a certificate: Debian's server, for the wheel's has no TLS."""

import datetime
import inspect
import ipaddress
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ragauth.config.redis_urls import redis_url
from ragauth.counters import redis_faults as faults
from ragauth.counters.redis_store import RedisCounters
from tests.counters.questions import installation
from tests.counters.redis_rights import rights, state_of, use_all
from tests.examples.programs import find_program
from tests.servers.redis import RedisServer, start_redis

HOUR = datetime.timedelta(hours=1)
PROGRAM = find_program("redis-server")

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="redis-server is missing: apt-get install redis-server"
)


def _signs_certificates() -> x509.KeyUsage:
    names = inspect.signature(x509.KeyUsage).parameters
    return x509.KeyUsage(**{name: name == "key_cert_sign" for name in names})


class Certificates:
    """A CA, and a certificate for the address of the tests' servers."""

    def __init__(self, folder: Path) -> None:
        key, name = ec.generate_private_key(ec.SECP256R1()), self._name("a CA of the tests")
        self.ca = folder / "ca.pem"
        is_authority = x509.BasicConstraints(ca=True, path_length=None)
        ca = self._signed(name, name, key, key, is_authority, _signs_certificates())
        self.ca.write_bytes(ca)
        own = ec.generate_private_key(ec.SECP256R1())
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        self.certificate = folder / "own.pem"
        self.certificate.write_bytes(
            self._signed(
                self._name("redis"), name, own, key, x509.SubjectAlternativeName([address])
            )
        )
        self.key = folder / "own.key"
        self.key.write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def _name(self, text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def _signed(
        self, subject: x509.Name, issuer: x509.Name, own: Any, key: Any, *more: Any
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
        builder = builder.public_key(own.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - HOUR).not_valid_after(now + HOUR)
        # Python 3.13 trusts none that lacks one of these.
        identifiers = (
            x509.SubjectKeyIdentifier.from_public_key(own.public_key()),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()),
        )
        for extension in (*more, *identifiers):
            is_critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
            builder = builder.add_extension(extension, critical=is_critical)
        signed = builder.sign(key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(certificates: Certificates) -> Iterator[RedisServer]:
    options = (
        *("--tls-ca-cert-file", str(certificates.ca), "--tls-auth-clients", "yes"),
        *("--tls-cert-file", str(certificates.certificate)),
        *("--tls-key-file", str(certificates.key)),
        *("--user", "ragauth", "on", ">simple", "~*", "-@all", *rights()),
    )
    with start_redis(*options, program=Path(str(PROGRAM)), tls=True) as server:
        yield server


def url_of(server: RedisServer, certificates: Certificates) -> str:
    return (
        f"rediss://ragauth:simple@127.0.0.1:{server.port}/0?ssl_ca_certs={certificates.ca}"
        f"&ssl_certfile={certificates.certificate}&ssl_keyfile={certificates.key}"
    )


def test_both_sides_know_each_other(server: RedisServer, certificates: Certificates) -> None:
    store = RedisCounters(redis_url(url_of(server, certificates)), installation)
    use_all(store)
    store.close()


@pytest.mark.parametrize("fault", ["no CA", "no certificate", "another host"])
def test_who_is_not_trusted_is_not_spoken_to(
    server: RedisServer, certificates: Certificates, fault: str
) -> None:
    url = url_of(server, certificates)
    wrong = {
        "no CA": url.replace("ssl_ca_certs=", "client_name=x"),
        "no certificate": url.partition("&ssl_certfile")[0],
        "another host": url.replace("127.0.0.1", "localhost"),
    }[fault].replace(f"client_name=x{certificates.ca}", "client_name=x")
    if fault == "no certificate" and sys.version_info >= (3, 13):
        # The server closes after our handshake, and what it says is lost while we write.
        assert state_of(wrong) in {faults.UNTRUSTED, faults.OUT_OF_REACH}
    else:
        assert state_of(wrong) == faults.UNTRUSTED


def test_the_name_alone_may_be_left_unchecked(
    server: RedisServer, certificates: Certificates
) -> None:
    url = url_of(server, certificates).replace("127.0.0.1", "localhost")
    store = RedisCounters(redis_url(f"{url}&ssl_check_hostname=false"), installation)
    store.ping()
    store.close()


def test_plain_text_gets_no_answer(server: RedisServer) -> None:
    assert state_of(f"redis://ragauth:simple@127.0.0.1:{server.port}") == faults.OUT_OF_REACH
