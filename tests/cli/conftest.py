"""How the tests of this folder run a command, and how they read its answer."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    exit_code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)


class Commands:
    """`flask --app wsgi`, in process."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def run(self, *arguments: str, typed: str | None = None) -> Outcome:
        """Run a command; `typed` is what its user types."""
        result = self.app.test_cli_runner().invoke(args=list(arguments), input=typed)
        # A crash would be a traceback where an operator expects a sentence.
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def succeed(self, *arguments: str, typed: str | None = None) -> Outcome:
        """Run a command that must succeed without a word on standard error."""
        outcome = self.run(*arguments, typed=typed)
        assert (outcome.exit_code, outcome.errors) == (0, "")
        return outcome

    def fail(self, *arguments: str) -> str:
        """Run a command that must fail with exit code 1; returns its one line."""
        outcome = self.run(*arguments)
        assert (outcome.exit_code, outcome.output) == (1, "")
        (line,) = outcome.errors.splitlines()
        assert line.startswith("Error: ")
        return line.removeprefix("Error: ")

    def misuse(self, *arguments: str) -> str:
        """Run a command that is called wrongly, which is exit code 2; returns what is wrong."""
        outcome = self.run(*arguments)
        assert (outcome.exit_code, outcome.output) == (2, "")
        usage, separator, fault = outcome.errors.partition("\nError: ")
        assert usage.startswith("Usage: ")
        assert separator
        return fault


@pytest.fixture
def commands(app: Flask) -> Commands:
    return Commands(app)
