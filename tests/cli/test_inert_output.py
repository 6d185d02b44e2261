"""What customers named reaches the operator's terminal inert, also what was stored before (S46)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from ragauth.extensions import db
from ragauth.models import Account, ApiKey
from tests.cases import for_each
from tests.cli.conftest import Commands
from tests.clients import Client, Member

HOSTILE = "x\x1b[2J\r\nError: all fine\u202e\u200b\x9b1m\U000e0041"
SHOWN = "x\\x1b[2J\\r\\nError: all fine\\u202e\\u200b\\x9b1m\\U000e0041"


@pytest.fixture
def member(app: Flask, client: Client) -> Member:
    """An account whose names were stored before they were looked at."""
    member = client.sign_up(username="ada1815")
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(update(ApiKey.__table__).values(name=HOSTILE, prefix=HOSTILE[:40]))
        connection.execute(update(Account.__table__).values(name=HOSTILE, email=f"{HOSTILE}@x.y"))
    return member


def assert_inert(text: str) -> None:
    assert not set(HOSTILE) & set("\x1b\r\u202e\u200b\x9b\U000e0041") & set(text)
    # None of its lines is the customer's.
    assert not any(line.startswith("Error: all") for line in text.splitlines())


@for_each(
    "command",
    [
        *(("keys", "list", "{id}"), ("keys", "show", "{key}"), ("keys", "find", "x")),
        *(("accounts", "list"), ("accounts", "list", "--search", "{id}")),
        *(("accounts", "show", "{id}"), ("accounts", "suspend", "{id}")),
        *(("accounts", "set-plan", "{id}", "pro"), ("accounts", "end-sessions", "{id}", "--yes")),
        *(("keys", "revoke", "{key}", "--yes"), ("keys", "revoke-all", "{id}", "--yes")),
        ("accounts", "delete", "{id}", "--yes"),
    ],
)
def test_tables_records_and_sentences(
    commands: Commands, member: Member, command: tuple[str, ...]
) -> None:
    """S46: terminals show names inert."""
    arguments = [part.format(id=member.id, key=member.api_key) for part in command]
    output = commands.succeed(*arguments).output
    assert_inert(output)
    assert SHOWN[:20] in output


@for_each(
    "command",
    [
        *(
            ("keys", "revoke", "{key}"),
            ("keys", "revoke-all", "{id}"),
            ("accounts", "delete", "{id}"),
        ),
        *(("accounts", "end-sessions", "{id}"), ("accounts", "remove-second-factor", "{id}")),
    ],
)
def test_questions(commands: Commands, member: Member, command: tuple[str, ...]) -> None:
    """S46: nobody consents to what a name made the question look like."""
    arguments = [part.format(id=member.id, key=member.api_key) for part in command]
    question = commands.misuse(*arguments)
    assert_inert(question)
    assert SHOWN[:20] in question


def test_json_is_escaped_to_ascii(commands: Commands, member: Member) -> None:
    """S46: programs get the name as it is, terminals its escapes."""
    for command in (("keys", "list", member.id), ("keys", "show", member.api_key)):
        outcome = commands.succeed(*command, "--json")
        assert outcome.output.isascii()
        assert_inert(outcome.output)
        rows: Any = outcome.json
        assert (rows[0] if isinstance(rows, list) else rows)["name"] == HOSTILE
    for line in commands.succeed("events", "tail").output.splitlines():
        assert line.isascii()
        json.loads(line)


def test_faults_of_what_was_typed(commands: Commands) -> None:
    """S46: a name that is pasted into a command is obeyed no more than one that is printed."""
    assert_inert(commands.fail("keys", "list", HOSTILE))
    for arguments in (
        *(("keys", "list", "x", HOSTILE), ("keys", HOSTILE), ("accounts", "list", f"--{HOSTILE}")),
        *(("accounts", "create", "--email", HOSTILE), ("events", "tail", "--name", HOSTILE)),
        *(("cleanup", HOSTILE), ("cleanup", "--keep-days", HOSTILE), ("backup", "x", HOSTILE)),
        ("service-keys", "create", "--scope", "verify", "--name", HOSTILE),
    ):
        outcome = commands.run(*arguments)
        assert outcome.exit_code == 2
        assert_inert(outcome.errors)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_faults_of_an_imported_file(
    commands: Commands, client: Client, tmp_path: Path, suffix: str
) -> None:
    """S46: no column of a file brings a name in that deceives, and none deceives in a fault."""
    email = client.sign_up().email
    digest = hashlib.sha256(b"x").hexdigest()
    good = {"digest": digest, "owner": email, "name": "Old", "prefix": "old"}
    rows = [{**good, column: HOSTILE} for column in ("owner", "name", "prefix", "digest", "scopes")]
    file = tmp_path / f"keys.{suffix}"
    file.write_text(f'digest,owner,name,"{HOSTILE}"', newline="")
    assert_inert(commands.fail("keys", "import", str(file)))
    if suffix == "jsonl":
        rows.append({**good, HOSTILE: "x"})
        file.write_text("\n".join(map(json.dumps, rows)))
    else:
        columns = [*good, "scopes"]
        lines = [",".join(f'"{row.get(column, "")}"' for column in columns) for row in rows]
        header = ",".join(f'"{column}"' for column in columns)
        file.write_text("\n".join([header, *lines]), encoding="utf-8", newline="")
    outcome = commands.run("keys", "import", str(file))
    assert outcome.exit_code == 1
    assert_inert(outcome.errors)
    # Its words are several scopes, each with a fault of its own.
    scopes = len(HOSTILE.split())
    assert len(outcome.errors.splitlines()) == 1 + len(rows) - 1 + scopes
    for column in ("name", "prefix"):
        fault = f"{column}: May not contain U+001B, a control or an invisible character"
        assert fault in outcome.errors


def test_a_name_that_is_typed_is_checked(commands: Commands) -> None:
    """S46: the operator's own names too."""
    for arguments in (
        ("accounts", "create", "--email", "a@example.com", "--password", "otters in the reeds"),
        ("service-keys", "create", "--scope", "verify"),
    ):
        fault = commands.misuse(*arguments, "--name", "a\u202eb")
        assert "U+202E" in fault
