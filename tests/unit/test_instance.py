"""Who may make the instance: the server, and the commands by which one begins."""

import sys
from pathlib import Path

import pytest

from ragauth.config import SettingsError, is_serving, read_settings
from ragauth.config.instance import default_instance_dir
from tests.cases import for_each
from tests.unit.environment import environment

__all__ = ["environment"]


def type_flask(environment: pytest.MonkeyPatch, *arguments: str) -> None:
    environment.setenv("FLASK_RUN_FROM_CLI", "true")
    environment.setattr(sys, "argv", ["flask", *arguments])


class TestCommands:
    @pytest.mark.parametrize(
        "arguments",
        [
            *(("run",), ("--app", "wsgi", "run", "--port", "1"), ("-A", "accounts", "serve")),
            *(("--app=wsgi", "db", "upgrade"), ("-e", "x", "--debug", "db", "upgrade", "head")),
        ],
    )
    def test_these_make_the_instance(
        self, environment: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
    ) -> None:
        type_flask(environment, *arguments)
        assert len(read_settings().secret_key) == 64
        assert (tmp_path / "instance" / "secret_key").is_file()
        assert is_serving() == ("run" in arguments)

    @pytest.mark.parametrize(
        "arguments",
        [
            *(("accounts", "list"), ("--app", "run", "cleanup"), ("db", "current"), ("routes",)),
            *(("accounts", "create", "--email", "run"), ("shell",), ("db",), ("db", "migrate")),
        ],
    )
    def test_all_others_say_that_there_is_none(
        self, environment: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
    ) -> None:
        type_flask(environment, *arguments)
        folder = tmp_path / "instance"
        for missing in (folder, folder / "ragauth.db", folder / "secret_key"):
            with pytest.raises(SettingsError) as caught:
                read_settings()
            assert str(caught.value).startswith(
                f"there is no instance in {folder} ({missing} is missing)"
            )
            assert not missing.exists()
            missing.touch() if missing != folder else missing.mkdir()
        (folder / "secret_key").write_text("s" * 32)
        assert read_settings().secret_key == b"s" * 32
        assert not is_serving()

    @for_each(
        "arguments",
        [
            *((), ("--help",), ("accounts", "--help"), ("db", "upgrade", "--help")),
            *(("policy", "show"), ("--app", "wsgi", "policy", "show", "--json")),
        ],
    )
    def test_help_and_the_policy_need_none_and_make_none(
        self, environment: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
    ) -> None:
        type_flask(environment, *arguments)
        assert read_settings().instance_dir == tmp_path / "instance"
        assert list(tmp_path.iterdir()) == []

    def test_a_policy_file_is_checked_whatever_the_settings_are(
        self, environment: pytest.MonkeyPatch
    ) -> None:
        environment.setenv("RAGAUTH_PLANS_FILE", "/etc/plans.toml")
        environment.setenv("RAGAUTH_POLICY_FILE", "/nowhere")
        environment.setenv("RAGAUTH_DATABASE_URL", "postgresql://db/ragauth")
        type_flask(environment, "policy", "check", "policy.toml")
        assert read_settings().uses_sqlite
        type_flask(environment, "policy", "show")
        with pytest.raises(SettingsError):
            read_settings()


class TestWhere:
    def test_it_is_beside_wsgi_in_a_checkout_wherever_one_stands(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        environment.chdir("/")
        assert default_instance_dir() == Path(__file__).parents[2] / "instance"

    @pytest.mark.parametrize("project", ["app", "site-packages"])
    def test_else_it_is_in_the_present_folder(
        self, environment: pytest.MonkeyPatch, tmp_path: Path, project: str
    ) -> None:
        (tmp_path / "site-packages").mkdir()
        # Of another package.
        (tmp_path / "site-packages" / "wsgi.py").touch()
        environment.setattr("ragauth.place._PROJECT", tmp_path / project)
        environment.chdir(tmp_path)
        assert default_instance_dir() == tmp_path / "instance"
