"""`keys import`: customers keep the keys that they had in another system."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask

from ragauth.errors import ExternalServiceUnavailable
from ragauth.services.operators import key_import
from tests.cli.conftest import Commands
from tests.clients import Client, error, ok
from tests.factories.api_keys import mistyped, unknown_key
from tests.runtime import runtime_of

OLD_KEY = "sk-live-0123456789abcdef"
# A process remembers for two seconds that nothing was imported yet.
NOTICED = 3


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def write_csv(folder: Path, *lines: str, header: str = "digest,owner,name") -> str:
    path = folder / "keys.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return str(path)


class TestImports:
    @pytest.mark.both_databases
    def test_a_key_from_csv_opens_what_it_always_opened(
        self, commands: Commands, client: Client, make_app: Callable[..., Flask], tmp_path: Path
    ) -> None:
        member = client.sign_up()
        error(
            client.as_key(OLD_KEY).get("/api/v1/authorize"),
            401,
            "AUTHENTICATION_ERROR",
            "malformed",
        )
        file = write_csv(
            tmp_path,
            f"{digest(OLD_KEY)},{member.email.upper()},From before,query ingest,sk-live-0123",
            header="digest,owner,name,scopes,prefix",
        )
        outcome = commands.run("keys", "import", file, "--json")
        assert (outcome.exit_code, outcome.json) == (0, {"lines": 1, "imported": 1, "known": 0})
        caller = Client(make_app()).as_key(OLD_KEY)
        allowed = caller.get("/api/v1/authorize?scope=query")
        assert allowed.status_code == 200
        assert allowed.headers["X-Ragauth-Account-Id"] == member.id
        error(
            caller.get("/api/v1/authorize?scope=manage"),
            403,
            "AUTHORIZATION_ERROR",
            "insufficient_scope",
        )
        listed = {key["name"]: key for key in ok(member.client.get("/api/auth/api-keys"))}
        assert listed["From before"]["prefix"] == "sk-live-0123"
        # It is a key like any other: revoked, it is dead.
        ok(member.client.delete(f"/api/auth/api-keys/{listed['From before']['id']}"), 204)
        error(caller.get("/api/v1/authorize"), 401, "AUTHENTICATION_ERROR", "revoked")

    def test_a_running_process_notices_the_first_import(
        self, commands: Commands, client: Client, tmp_path: Path
    ) -> None:
        member = client.sign_up()
        caller = client.as_key("another-" + OLD_KEY)
        with time_machine.travel("2027-01-01T00:00:00Z", tick=True):
            caller.get("/api/v1/authorize")
        commands.run(
            "keys",
            "import",
            write_csv(tmp_path, f"{digest('another-' + OLD_KEY)},{member.id},old"),
        )
        checker = runtime_of(client.app).key_checker
        checker.lookup._imported_checked_at -= NOTICED
        assert caller.get("/api/v1/authorize").status_code == 200

    def test_keys_from_json_lines(
        self, commands: Commands, client: Client, make_app: Callable[..., Flask], tmp_path: Path
    ) -> None:
        member = client.sign_up()
        file = tmp_path / "keys.jsonl"
        keys = [f"{OLD_KEY}-{number}" for number in range(3)]
        file.write_text(
            "\n".join(
                json.dumps({"digest": digest(key), "owner": member.id, "name": key[-1]})
                for key in keys
            )
        )
        commands.run("keys", "import", str(file))
        caller = Client(make_app())
        for key in keys:
            assert caller.as_key(key).get("/api/v1/authorize").status_code == 200

    @pytest.mark.both_databases
    def test_a_file_may_be_imported_twice(
        self, commands: Commands, client: Client, tmp_path: Path
    ) -> None:
        file = write_csv(tmp_path, f"{digest(OLD_KEY)},{client.sign_up().email},old")
        commands.run("keys", "import", file)
        assert commands.run("keys", "import", file, "--json").json == {
            "lines": 1,
            "imported": 0,
            "known": 1,
        }

    @pytest.mark.both_databases
    def test_what_broke_off_is_kept_and_the_same_file_does_the_rest(
        self,
        commands: Commands,
        client: Client,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Each batch is a transaction of its own, between which others write."""
        member = client.sign_up()
        commands.succeed("accounts", "set-plan", member.email, "scale")
        file = write_csv(tmp_path, *(f"{digest(str(n))},{member.id},k" for n in range(7)))
        monkeypatch.setattr(sys.modules["ragauth.cli.key_import"], "_BATCH", 2)
        import_keys = key_import.import_keys
        batches = iter((import_keys, import_keys))

        def break_off(keys: Any) -> int:
            # Another one writes before each batch.
            ok(member.client.post("/api/auth/api-keys", {"name": "another"}), 201)
            if (step := next(batches, None)) is None:
                raise ExternalServiceUnavailable
            return step(keys)

        with monkeypatch.context() as patch:
            patch.setattr(key_import, "import_keys", break_off)
            told = commands.fail("keys", "import", file)
        assert "(4 of 7 keys were imported; import the same file again" in told
        assert len(ok(member.client.get("/api/auth/api-keys"))) == 1 + 3 + 4
        outcome = commands.succeed("keys", "import", file, "--json")
        assert outcome.json == {"lines": 7, "imported": 3, "known": 4}
        assert member.event_names().count("api_key:imported") == 7

    def test_standard_input_a_json_array_and_upper_case_will_do(
        self, commands: Commands, client: Client, tmp_path: Path
    ) -> None:
        member, other = client.sign_up(), client.sign_up()
        for owner in (member, other):
            commands.succeed("accounts", "set-plan", owner.email, "scale")
        keys = [
            {"digest": digest(f"{OLD_KEY}{number}").upper(), "owner": owner, "name": "x"}
            for number, owner in enumerate([member.email, member.id, other.email.upper()] * 200)
        ]
        for expected in ({"imported": 600, "known": 0}, {"imported": 0, "known": 600}):
            outcome = commands.succeed("keys", "import", "-", "--json", typed=json.dumps(keys))
            assert outcome.json == {"lines": 600, **expected}
        listed = commands.succeed("keys", "list", member.id, "--limit", "0", "--json").json
        assert len(listed) == 401
        assert other.event_names().count("api_key:imported") > 0

    def test_a_mistyped_key_of_our_own_form_is_still_refused_by_its_checksum(
        self, commands: Commands, client: Client, make_app: Callable[..., Flask], tmp_path: Path
    ) -> None:
        wrong = mistyped(unknown_key())
        member = client.sign_up()
        commands.run("keys", "import", write_csv(tmp_path, f"{digest(wrong)},{member.email},x"))
        error(
            Client(make_app()).as_key(wrong).get("/api/v1/authorize"),
            401,
            "AUTHENTICATION_ERROR",
            "malformed",
        )


class TestRejectsInput:
    def test_every_faulty_line_is_named_and_nothing_is_imported(
        self, commands: Commands, client: Client, tmp_path: Path
    ) -> None:
        member = client.sign_up()
        file = write_csv(
            tmp_path,
            f"{digest(OLD_KEY)},{member.email},good",
            f"zz,{member.email},a digest that is none",
            f"{digest('x')},nobody@example.com,a stranger",
            f"{digest('y')},{member.email},",
        )
        outcome = commands.run("keys", "import", file)
        assert outcome.exit_code == 1
        assert outcome.errors.splitlines() == [
            "Error: nothing was imported",
            "line 3: digest: Must be a SHA-256: 64 hex digits, or 43 or 44 characters of base64"
            " or base64url",
            "line 4: owner: there is no account nobody@example.com",
            "line 5: name: Required",
        ]
        assert [key["name"] for key in ok(member.client.get("/api/auth/api-keys"))] == ["Primary"]

    def test_more_keys_than_the_plan_has_room_for_are_named_and_none_is_imported(
        self, commands: Commands, client: Client, tmp_path: Path
    ) -> None:
        """S45: an imported key counts as any other."""
        member, other = client.sign_up(), client.sign_up()
        owners = [member.email, member.id, member.email.upper(), member.email, member.email]
        lines = [f"{digest(f'key {number}')},{owner},k," for number, owner in enumerate(owners)]
        file = write_csv(
            tmp_path,
            *lines,
            f"{digest('key 0')},{member.email},the same key again,",
            f"{digest('dead')},{member.email},an expired one,2020-01-01T00:00:00Z",
            f"{digest('other')},{other.email},another's,",
            header="digest,owner,name,expires_at",
        )
        outcome = commands.run("keys", "import", file, "--dry-run")
        assert outcome.exit_code == 1
        assert outcome.errors.splitlines() == [
            "Error: nothing was imported",
            *(
                f"line {number}: owner: the file has 5 new keys, the plan has room for 4"
                for number in range(2, 9)
            ),
        ]
        commands.succeed("accounts", "set-plan", member.email, "starter")
        assert commands.succeed("keys", "import", file, "--json").json == {
            "lines": 8,
            "imported": 7,
            "known": 1,
        }

    @pytest.mark.both_databases
    def test_a_key_made_while_the_file_was_read_leaves_no_room(
        self,
        commands: Commands,
        client: Client,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """S45: each key is tested again, under the account's lock."""
        member = client.sign_up()
        monkeypatch.setattr(key_import.Expected, "fault", None)
        file = write_csv(tmp_path, *(f"{digest(str(n))},{member.id},k" for n in range(5)))
        outcome = commands.run("keys", "import", file)
        assert outcome.errors.splitlines() == [
            "Error: The plan's maximum number of live keys (5) is reached"
        ]
        assert len(ok(member.client.get("/api/auth/api-keys"))) == 1

    def test_what_can_never_be_presented_is_refused(
        self, commands: Commands, client: Client, tmp_path: Path
    ) -> None:
        member, other = client.sign_up(), client.sign_up()
        file = write_csv(
            tmp_path,
            f"{digest('a')},{member.email},x,sk live",
            f"{digest('b')},{member.email},x,eyJhbGciOiJIUzI1NiJ9.eyJz",
            f"{digest('sk-whole')},{member.email},x,sk-whole",
            f"{digest('')},{member.email},x,sk",
            f"{digest('c')},{member.email},x,sk",
            f"{digest('c')},{other.email},x,sk",
            header="digest,owner,name,prefix",
        )
        errors = commands.run("keys", "import", file).errors
        for number, words in enumerate(
            ("only ASCII without blanks", "a token (a JWT)", "Is the whole key", "of nothing"), 2
        ):
            assert any(
                line.startswith(f"line {number}: ") and words in line
                for line in errors.splitlines()
            ), words
        assert "line 7: digest: another owner has it in line 6" in errors

    def test_a_file_that_is_not_understood_is_one_line(
        self, commands: Commands, tmp_path: Path
    ) -> None:
        file = tmp_path / "keys.jsonl"
        for content in (b"{", b"", b"\0\1\2", b"digest,owner,name"):
            file.write_bytes(content)
            assert commands.fail("keys", "import", str(file)).startswith(
                f"nothing was imported from {file}: "
            )
        for content in ("[1]", '{"digest": 1}'):
            file.write_text(content)
            assert commands.run("keys", "import", str(file)).exit_code == 1
        assert "directory" in commands.misuse("keys", "import", str(tmp_path))

    def test_a_dry_run_imports_nothing(
        self, commands: Commands, client: Client, tmp_path: Path
    ) -> None:
        member = client.sign_up()
        file = write_csv(tmp_path, f"{digest(OLD_KEY)},{member.email},old")
        assert commands.succeed("keys", "import", file, "--dry-run", "--json").json == {
            "lines": 1,
            "new": 1,
            "known": 0,
            "refused": 0,
            "accounts": [
                {
                    "account_id": member.id,
                    "email": member.email,
                    "external_id": None,
                    "new": 1,
                    "counted": 1,
                    "room": 4,
                }
            ],
            "faults": [],
        }
        assert len(ok(member.client.get("/api/auth/api-keys"))) == 1
