"""The operators' commands, run in process."""

from flask import Flask


def run(app: Flask, *arguments: str) -> str:
    """What a command that must succeed prints."""
    result = app.test_cli_runner().invoke(args=list(arguments))
    assert result.exit_code == 0, result.output
    return result.output
