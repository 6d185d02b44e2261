"""The program `ragauth`: what it says before an application is there, and after a fault."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import CompletionItem, ShellComplete
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo

import ragauth.command
from ragauth.command import ragauth as program
from ragauth.command.outline import OUTLINE, ToldCommand, read_outline
from tests.cli.outline import as_text, describe_all, flask_commands
from tests.servers.gunicorn import PROJECT_ROOT

_HEAVY = ("flask", "sqlalchemy", "werkzeug", "marshmallow", "ragauth.app", "ragauth.cli")
_LOADED = """
import sys
from ragauth.command import main
try:
    main()
finally:
    print("loaded", *(name for name in sys.argv.pop().split(",") if name in sys.modules))
"""
# It takes a third of this; on a machine that others load it may take twice that.
_COMPLETION_CPU_SECONDS = 0.2


def _complete(typed: str) -> tuple[list[str], float]:
    """What bash offers for the last word, and the CPU seconds that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, ",".join(_HEAVY)],
        env={
            "PATH": os.defpath,
            "_RAGAUTH_COMPLETE": "bash_complete",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(typed.count(" ")),
            # It matters to no completion.
            "RAGAUTH_BCRYPT_COST": "none",
        },
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    *lines, loaded = done.stdout.splitlines()
    assert loaded == "loaded"
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [line.removeprefix("plain,") for line in lines], cpu


def _paths(commands: dict[str, ToldCommand], *above: str) -> Iterator[list[str]]:
    for name, told in commands.items():
        yield [*above, name]
        yield from _paths(told.get("commands", {}), *above, name)


def _offered(group: click.Group, words: list[str], **context: object) -> list[tuple[str, ...]]:
    items: list[CompletionItem[str]] = []
    for incomplete in ("", "--"):
        items += ShellComplete(group, context, "p", "_P").get_completions(words, incomplete)
    return sorted((item.value, item.type) for item in items)


class TestCompletion:
    @pytest.mark.parametrize(
        ("typed", "offered"),
        [
            ("ragauth acc", ["accounts"]),
            ("ragauth accounts s", ["set-limit", "set-plan", "show", "suspend"]),
            ("ragauth accounts list --st", ["--status"]),
            ("ragauth accounts list --status ", ["active", "suspended"]),
            ("ragauth backup ./b", ["file,./b"]),
        ],
    )
    def test_it_answers_without_the_application(self, typed: str, offered: list[str]) -> None:
        lines, cpu = _complete(typed)
        assert lines == offered
        assert cpu < _COMPLETION_CPU_SECONDS

    def test_the_outline_tells_what_the_commands_are(self, sqlite_app: Flask) -> None:
        """If it does not, `make outline` writes it anew."""
        assert OUTLINE.read_text(encoding="utf-8") == as_text(describe_all(sqlite_app))

    def test_it_offers_what_flask_offers_for_each_command(
        self, sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Flask sets it, and would leave it to the tests that follow.
        monkeypatch.setenv("FLASK_RUN_FROM_CLI", "false")
        paths = list(_paths(read_outline()))
        assert len(paths) > 50
        flask = flask_commands(sqlite_app)
        info = ScriptInfo(create_app=lambda: sqlite_app)
        for words in paths:
            assert _offered(program, words) == _offered(flask, words, obj=info), words


class TestHelp:
    def test_it_describes_each_command_and_speaks_of_no_framework(self) -> None:
        shown = CliRunner().invoke(program, ["--help"]).output
        for name in read_outline():
            assert f"\n  {name}  " in shown
        assert "flask" not in shown.lower()
        assert "  accounts       Create, list and administer accounts.\n" in shown


class TestFaults:
    @pytest.fixture
    def faulty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        @click.command("status")
        def fail() -> None:
            raise KeyError("a\nb")

        monkeypatch.setattr(ragauth.command, "_load", lambda _context, _name: fail)

    @pytest.mark.usefixtures("faulty")
    def test_an_unforeseen_error_is_one_line(self) -> None:
        done = CliRunner().invoke(program, ["status"])
        assert done.exit_code == 1
        assert done.stderr == (
            "Error: KeyError: 'a\\nb' (`ragauth --traceback …` shows where it happened)\n"
        )

    @pytest.mark.usefixtures("faulty")
    def test_on_demand_it_shows_where_it_happened(self) -> None:
        done = CliRunner().invoke(program, ["--traceback", "status"])
        assert isinstance(done.exception, KeyError)

    def test_an_unknown_command_is_a_wrong_usage(self) -> None:
        done = CliRunner().invoke(program, ["acounts"])
        assert done.exit_code == 2
        assert done.stderr.endswith("\nError: No such command 'acounts'.\n")
