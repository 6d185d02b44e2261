"""What names may be set, where the server listens and with how many processes."""

from importlib.machinery import ModuleSpec

import pytest

from ragauth.config import (
    SettingsError,
    has_own_server,
    mounted_at,
    read_server_settings,
    read_settings,
    server_environment,
)
from tests.cases import for_each
from tests.unit.environment import environment

__all__ = ["environment"]


class TestUnknown:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("RAGAUTH_DATABSE_URL", "; did you mean RAGAUTH_DATABASE_URL?"),
            ("RAGAUTH_DATABASE_URI", "; did you mean RAGAUTH_DATABASE_URL?"),
            ("RAGAUTH_SECRETKEY", "; did you mean RAGAUTH_SECRET_KEY?"),
            ("RAGAUTH_TRUSTED_PROXY", "; did you mean RAGAUTH_TRUSTED_PROXIES?"),
            ("RAGAUTH_SERVERS", "; did you mean RAGAUTH_SERVER?"),
            ("RAGAUTH_XYZ", ""),
            ("RAGAUTH_HOST", "; did you mean HOST?"),
            ("RAGAUTH_WEB_CONCURRENCY", "; did you mean WEB_CONCURRENCY?"),
            # Of Kubernetes in name alone.
            *(("RAGAUTH_SERVICE_HOST", ""), ("RAGAUTH_PORT_80_TCP_ADDR", "")),
            ("RAGAUTH_PORT", "; did you mean PORT?"),
        ],
    )
    def test_it_stops_the_start_with_the_nearest_name(
        self, environment: pytest.MonkeyPatch, name: str, meant: str
    ) -> None:
        environment.setenv(name, "a value")
        with pytest.raises(SettingsError) as caught:
            read_settings()
        (line,) = str(caught.value).splitlines()
        assert line.startswith(f"{name}: there is no such setting")
        assert not meant or line.endswith(meant)

    def test_what_kubernetes_tells_of_services_is_left_alone(
        self, environment: pytest.MonkeyPatch
    ) -> None:
        for service in ("RAGAUTH", "RAGAUTH_REDIS_MASTER"):
            for name, value in {
                "SERVICE_HOST": "10.0.0.1",
                "SERVICE_PORT": "8000",
                "SERVICE_PORT_HTTP": "8000",
                "PORT": "tcp://10.0.0.1:8000",
                "PORT_8000_TCP": "tcp://[fd00::1]:8000",
                "PORT_8000_TCP_PROTO": "tcp",
                "PORT_8000_TCP_PORT": "8000",
                "PORT_8000_TCP_ADDR": "fd00::1",
            }.items():
                environment.setenv(f"{service}_{name}", value)
        # And what the examples read, as clients.
        environment.setenv("RAGAUTH_URL", "http://127.0.0.1:8000")
        environment.setenv("RAGAUTH_SERVER", "gunicorn")
        assert read_settings() == read_settings()

    def test_a_name_cannot_make_a_line_of_its_own(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("RAGAUTH_A\nragauth", "x")
        with pytest.raises(SettingsError, match=r"\ARAGAUTH_A\\nragauth: there is no [^\n]*\Z"):
            read_settings()


class TestServerSettings:
    def test_the_defaults_are_loopback_and_8000(self) -> None:
        server = read_server_settings()
        assert (server.bind, server.threads) == ("127.0.0.1:8000", 8)
        assert server.workers >= 1
        assert server.worker_class == "ragauth.server.worker.Worker"

    def test_without_the_folder_gunicorns_own_threads_serve(
        self, environment: pytest.MonkeyPatch
    ) -> None:
        assert has_own_server()
        environment.setattr("ragauth.config.server.find_spec", lambda _name: None)
        assert read_server_settings().worker_class == "gthread"
        environment.setenv("RAGAUTH_SERVER", "gunicorn")
        assert read_server_settings().worker_class == "gthread"
        environment.setenv("RAGAUTH_SERVER", "ragauth")
        with pytest.raises(SettingsError, match=r"\ARAGAUTH_SERVER: ragauth/server is not there"):
            read_server_settings()

    def test_what_git_leaves_of_the_folder_is_no_server(
        self, environment: pytest.MonkeyPatch
    ) -> None:
        left = ModuleSpec("ragauth.server", None, is_package=True)
        environment.setattr("ragauth.config.server.find_spec", lambda _name: left)
        assert not has_own_server()

    @for_each(
        ("host", "bind"),
        [
            *(("", "127.0.0.1:8000"), (" ", "127.0.0.1:8000"), ("0.0.0.0", "0.0.0.0:8000")),
            *(("::1", "[::1]:8000"), ("[::1]", "[::1]:8000"), ("0:0::1", "[::1]:8000")),
            *(("::", "[::]:8000"), ("localhost", "localhost:8000"), ("a-b.test", "a-b.test:8000")),
            *(("unix:/run/x", "unix:/run/x"), ("unix:///run/x", "unix:/run/x")),
        ],
    )
    def test_a_host_is_an_address_a_name_or_a_socket(
        self, environment: pytest.MonkeyPatch, host: str, bind: str
    ) -> None:
        environment.setenv("HOST", host)
        assert read_server_settings().bind == bind

    @for_each(
        "host",
        [
            *("127.0.0.1:9000", "[::1]:9000", "[::1", "::1]", "[localhost]", "http://a.test"),
            *("*", "a b", "unix:", "-a", "a/b", "bücher.test", ":", "fd://3", "\udcff"),
        ],
    )
    def test_anything_else_is_none(self, environment: pytest.MonkeyPatch, host: str) -> None:
        environment.setenv("HOST", host)
        with pytest.raises(SettingsError, match=r"\AHOST: .*\Z"):
            read_server_settings()

    def test_all_faults_are_named_at_once(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("PORT", "65536")
        environment.setenv("WEB_CONCURRENCY", "0")
        environment.setenv("WEB_THREADS", "x")
        environment.setenv("RAGAUTH_SERVER", "uwsgi")
        with pytest.raises(SettingsError) as caught:
            read_server_settings()
        assert [
            line.removeprefix("ragauth: ").partition(":")[0]
            for line in str(caught.value).splitlines()
        ] == [*("PORT", "WEB_CONCURRENCY", "WEB_THREADS", "RAGAUTH_SERVER")]


def test_serve_hands_the_path_of_the_mount_to_its_server(
    environment: pytest.MonkeyPatch,
) -> None:
    """The command has made the application, which takes SCRIPT_NAME out of the environment."""
    environment.setenv("SCRIPT_NAME", "/auth/")
    mounted_at.cache_clear()
    try:
        assert mounted_at() == "/auth"
        assert server_environment()["SCRIPT_NAME"] == "/auth"
    finally:
        mounted_at.cache_clear()
