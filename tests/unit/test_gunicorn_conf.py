"""gunicorn's configuration, read as gunicorn reads it: by running the module."""

import os
import runpy
import socket
import sys
from unittest.mock import MagicMock, Mock

import pytest
from gunicorn.config import Config

MODULE = "ragauth.gunicorn_conf"


@pytest.fixture(autouse=True)
def _is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """`runpy` warns of a module that another test has imported."""
    monkeypatch.delitem(sys.modules, MODULE, raising=False)


class TestGunicornConf:
    def test_the_environment_says_where_it_listens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOST", "0.0.0.0")
        monkeypatch.setenv("PORT", "9001")
        monkeypatch.setenv("WEB_CONCURRENCY", "3")
        monkeypatch.setenv("WEB_THREADS", "5")
        conf = runpy.run_module(MODULE)
        assert (conf["bind"], conf["workers"], conf["threads"]) == ("0.0.0.0:9001", 3, 5)

    def test_gunicorn_knows_every_setting(self) -> None:
        config = Config()
        for name, value in runpy.run_module(MODULE).items():
            if name in config.settings:
                config.set(name, value)
        assert config.bind == ["127.0.0.1:8000"]
        assert config.preload_app
        assert config.control_socket_disable

    def test_no_proxy_is_believed_by_gunicorn_itself(self) -> None:
        """S22: the configured number of proxies alone decides."""
        assert runpy.run_module(MODULE)["forwarded_allow_ips"] == "192.0.2.1"

    def test_a_malformed_setting_stops_the_start_with_its_name(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PORT", "http")
        with pytest.raises(SystemExit, match="ragauth: PORT"):
            runpy.run_module(MODULE)


class TestBeforeItListens:
    def test_what_is_taken_stops_the_start(self) -> None:
        on_starting = runpy.run_module(MODULE)["on_starting"]
        with socket.create_server(("127.0.0.1", 0)) as taken:
            config = Mock(address=[taken.getsockname()], reuse_port=False)
            with pytest.raises(
                SystemExit, match=r"\Aragauth: 127\.0\.0\.1:[0-9]+ cannot be served: "
            ):
                on_starting(Mock(cfg=config))

    @pytest.mark.parametrize("name", ["GUNICORN_FD", "LISTEN_PID"])
    def test_sockets_that_another_hands_over_are_not_looked_at(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv(name, str(os.getpid()))
        on_starting = runpy.run_module(MODULE)["on_starting"]
        with socket.create_server(("127.0.0.1", 0)) as taken:
            on_starting(MagicMock(cfg=Mock(address=[taken.getsockname()], reuse_port=False)))
