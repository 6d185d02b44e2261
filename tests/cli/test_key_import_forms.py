"""`keys import` takes digests as other systems store them: of the whole key, or of a part of it."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from ragauth.services.operators import key_import
from tests.cli.conftest import Commands
from tests.clients import Client, Member, error, ok
from tests.factories.api_keys import unknown_key
from tests.runtime import runtime_of
from tests.servers.github import running_github

SECRET_PART = "0123456789abcdefABCDEF"


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def forms(digest: bytes) -> dict[str, str]:
    plain, url_safe = base64.b64encode(digest), base64.urlsafe_b64encode(digest)
    return {
        "hex": digest.hex(),
        "HEX": digest.hex().upper(),
        "base64": plain.decode(),
        "base64 without padding": plain.decode().rstrip("="),
        "base64url": url_safe.decode(),
        "base64url without padding": url_safe.decode().rstrip("="),
    }


def import_lines(commands: Commands, *lines: dict[str, Any]) -> Any:
    outcome = commands.succeed("keys", "import", "-", "--json", typed=json.dumps(lines))
    forget_what_was_imported(commands.app)
    return outcome.json


def faults(commands: Commands, *lines: dict[str, Any]) -> list[str]:
    outcome = commands.run("keys", "import", "-", typed=json.dumps(lines))
    assert (outcome.exit_code, outcome.output) == (1, "")
    first, *others = outcome.errors.splitlines()
    assert first == "Error: nothing was imported"
    return others


def line(member: Member, digest: str, **fields: Any) -> dict[str, Any]:
    return {"digest": digest, "owner": member.email, "name": "from before", **fields}


def after(member: Member, text_before: str, part: str = SECRET_PART, **fields: Any) -> Any:
    digest = base64.b64encode(sha256(part)).decode()
    return line(member, digest, hashed="after", text_before=text_before, **fields)


def forget_what_was_imported(app: Flask) -> None:
    """As if two seconds had gone by, for which a process remembers what it has read."""
    lookup = runtime_of(app).key_checker.lookup
    lookup._imported_checked_at = lookup._texts_read_at = -1e9


class TestDigests:
    @pytest.mark.parametrize("form", forms(b""))
    def test_each_form_of_the_whole_keys(
        self, commands: Commands, client: Client, form: str
    ) -> None:
        member = client.sign_up()
        # Its digest has both characters that base64 and base64url write differently.
        key = "sk-live-whole-11"
        digest = forms(sha256(key))[form]
        assert {"+", "/"} <= set(forms(sha256(key))["base64"])
        assert import_lines(commands, line(member, digest))["imported"] == 1
        assert client.as_key(key).get("/api/v1/authorize").status_code == 200
        # Another form of the same digest is the same key.
        other = forms(sha256(key))["hex"]
        assert import_lines(commands, line(member, other))["known"] == 1

    def test_what_is_none_is_named_and_not_guessed(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        digest = sha256("sk-live-whole")
        base = base64.b64encode(digest).decode()
        texts = [
            digest.hex()[:-1],
            digest.hex() + "00",
            hashlib.sha512(b"x").hexdigest(),
            hashlib.sha1(b"x").hexdigest(),  # noqa: S324 - what must be refused
            "sha256:" + digest.hex(),
            "\\x" + digest.hex(),
            base + "=",
            base[:-2],
            # Both alphabets at once.
            "+" + base64.urlsafe_b64encode(b"\xff" * 32).decode()[1:],
            # Two bits behind the last byte.
            base.rstrip("=")[:-1] + "B",
            "$2b$12$" + "x" * 53,
            "é" * 43,
        ]
        told = faults(commands, *(line(member, text) for text in texts))
        assert told == [
            f"entry {number}: digest: Must be a SHA-256: 64 hex digits, or 43 or 44 characters of"
            " base64 or base64url"
            for number in range(1, len(texts) + 1)
        ]

    def test_csv_has_them_too(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        digest = base64.b64encode(sha256(SECRET_PART)).decode()
        csv = f"Hash,Owner,Name,Hashed,Text before\n{digest},{member.id},old,after,sk_live_\n"
        commands.succeed("keys", "import", "-", typed=csv)
        forget_what_was_imported(client.app)
        caller = client.as_key(f"sk_live_{SECRET_PART}")
        assert caller.get("/api/v1/authorize").status_code == 200
        outcome = commands.run("keys", "import", "-", typed=f"{digest},{member.id},old\n")
        assert "the file has no header" in outcome.errors


class TestAPartOfTheKey:
    def test_it_works_behind_its_text_and_nowhere_else(
        self, commands: Commands, client: Client
    ) -> None:
        """S21: the digest that the other system stored is of no use without the text."""
        member = client.sign_up()
        import_lines(commands, after(member, "sk_live_"), after(member, "pk_", "another-part"))
        allowed = client.as_key(f"sk_live_{SECRET_PART}").get("/api/v1/authorize")
        assert allowed.status_code == 200
        assert allowed.headers["X-Ragauth-Account-Id"] == member.id
        for presented in (
            SECRET_PART,
            f"pk_{SECRET_PART}",
            f"sk_{SECRET_PART}",
            f"sk_live_sk_live_{SECRET_PART}",
            f"SK_LIVE_{SECRET_PART}",
            f"xsk_live_{SECRET_PART}",
            f"sk_live_{SECRET_PART}x",
            "sk_live_another-part",
            "sk_live_",
        ):
            response = client.as_key(presented).get("/api/v1/authorize")
            error(response, 401, "AUTHENTICATION_ERROR", "invalid")

    def test_texts_may_begin_with_one_another(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        texts = ["sk_", "sk_live_", "sk_live_eu_"]
        import_lines(commands, *(after(member, text, f"part-{text}") for text in texts))
        for text in texts:
            response = client.as_key(f"{text}part-{text}").get("/api/v1/authorize")
            assert response.status_code == 200, text

    @pytest.mark.both_databases
    def test_one_part_behind_two_texts_is_two_keys(
        self, commands: Commands, client: Client
    ) -> None:
        member, other = client.sign_up(), client.sign_up()
        digest = sha256(SECRET_PART).hex()
        told = import_lines(
            commands, after(member, "sk_live_"), after(other, "sk_test_"), line(member, digest)
        )
        assert told["imported"] == 3
        for presented, owner in (
            (f"sk_live_{SECRET_PART}", member),
            (f"sk_test_{SECRET_PART}", other),
            (SECRET_PART, member),
        ):
            response = client.as_key(presented).get("/api/v1/authorize")
            assert response.headers["X-Ragauth-Account-Id"] == owner.id

    def test_a_part_of_a_key_of_our_own_form(self, commands: Commands, client: Client) -> None:
        member, key = client.sign_up(), unknown_key()
        import_lines(commands, after(member, "rag_live_", key.removeprefix("rag_live_")))
        assert client.as_key(key).get("/api/v1/authorize").status_code == 200

    @pytest.mark.both_databases
    def test_everything_that_is_given_a_raw_key_finds_it(
        self, commands: Commands, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        member, key = client.sign_up(), f"sk_live_{SECRET_PART}"
        import_lines(commands, after(member, "sk_live_"))
        shown = commands.succeed("keys", "show", key, "--json").json
        assert (shown["email"], shown["prefix"]) == (member.email, "sk_live_")
        (found,) = commands.succeed("keys", "find", key, "--json").json
        assert found["id"] == shown["id"]
        assert ok(client.as_key(key).get("/api/v1/me"))["key"]["id"] == shown["id"]
        with running_github() as github:
            reporter = Client(make_app(github_keys_url=github.url))
            labels = [one["label"] for one in github.report(reporter, key, SECRET_PART)]
        assert labels == ["true_positive", "false_positive"]
        ok(client.post("/api/v1/keys/revoke", {"key": SECRET_PART}), 204)
        ok(client.as_key(key).get("/api/v1/me"))
        ok(client.post("/api/v1/keys/revoke", {"key": key}), 204)
        error(client.as_key(key).get("/api/v1/me"), 401, "AUTHENTICATION_ERROR", "revoked")
        assert commands.succeed("keys", "find", key, "--json").json == []
        (found,) = commands.succeed("keys", "find", key, "--include-revoked", "--json").json
        assert found["id"] == shown["id"]

    def test_a_running_process_notices_a_further_text(
        self, commands: Commands, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        member, elsewhere = client.sign_up(), Client(make_app())
        import_lines(commands, after(member, "sk_live_"))
        one = elsewhere.as_key(f"sk_live_{SECRET_PART}")
        assert one.get("/api/v1/authorize").status_code == 200
        import_lines(commands, after(member, "new_"))
        forget_what_was_imported(elsewhere.app)
        other = elsewhere.as_key(f"new_{SECRET_PART}")
        assert other.get("/api/v1/authorize").status_code == 200

    def test_the_line_must_say_both(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        digest, other = sha256(SECRET_PART).hex(), sha256("other").hex()
        assert faults(
            commands,
            line(member, digest, hashed="after"),
            line(member, digest, text_before="sk_live_"),
            line(member, digest, hashed="part", text_before="sk_live_"),
            after(member, "sk live"),
            after(member, "x" * 101),
            after(member, "eyJhbGciOiJIUzI1NiJ9."),
            after(member, "sk_live_", "", name="nothing behind"),
            after(member, "sk_live_", prefix=f"sk_live_{SECRET_PART}"),
            after(member, "sk_live_", prefix=SECRET_PART),
            line(member, other, hashed="key"),
        ) == [
            'entry 1: text_before: Required where hashed is "after"',
            'entry 2: text_before: Only where hashed is "after"; the digest of a whole key needs'
            " none",
            "entry 3: hashed: Must be one of: key, after",
            "entry 4: text_before: No key that begins so can be presented: only ASCII without"
            " blanks can",
            "entry 5: text_before: Must be at most 100 characters long",
            "entry 6: text_before: What begins so is taken for a token (a JWT), never for a key",
            "entry 7: digest: Is the SHA-256 of nothing, not of a key",
            "entry 8: prefix: Is the whole key, and a prefix is shown",
            "entry 9: prefix: Is the whole key, and a prefix is shown",
        ]

    def test_there_are_few_texts(
        self, commands: Commands, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S37: each costs a read for a presented key that begins with it."""
        member = client.sign_up()
        import_lines(commands, after(member, "a_"), after(member, "b_"))
        for module in (key_import, "ragauth.cli.key_import"):
            name = module if isinstance(module, str) else module.__name__
            monkeypatch.setattr(f"{name}.MOST_TEXTS_BEFORE", 2)
        forget_what_was_imported(client.app)
        assert faults(commands, after(member, "a_", "x"), after(member, "c_", "x")) == [
            "entry 2: text_before: there may be at most 2 different ones"
        ]
        assert import_lines(commands, after(member, "b_", "x"))["imported"] == 1


class TestDryRuns:
    def test_it_tells_what_would_happen(self, commands: Commands, client: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        keys = [line(member, sha256(f"old-{n}").hex()) for n in range(3)]
        import_lines(commands, keys[0])
        lines = [*keys, keys[1], after(other, "sk_live_"), line(other, "no digest")]
        lines.append({**keys[2], "digest": sha256("x").hex(), "owner": "nobody@example.com"})
        outcome = commands.run(
            "keys", "import", "-", "--dry-run", "--json", typed=json.dumps(lines)
        )
        assert outcome.exit_code == 1
        told = outcome.json
        assert told["accounts"] == [
            {
                "account_id": one.id,
                "email": one.email,
                "external_id": None,
                "new": new,
                "counted": new,
                "room": room,
            }
            for one, new, room in ((member, 2, 3), (other, 1, 4))
        ]
        named = outcome.errors.splitlines()
        assert named == ["Error: nothing was imported", *told["faults"]]
        assert [fault.partition(": ")[0] for fault in told["faults"]] == ["entry 6", "entry 7"]
        counts = {name: told[name] for name in ("lines", "new", "known", "refused")}
        assert counts == {"lines": 7, "new": 3, "known": 2, "refused": 2}
        assert len(ok(member.client.get("/api/auth/api-keys"))) == 2
        # What it told is what happens.
        done = import_lines(commands, *lines[:5])
        assert done == {"lines": 5, "imported": 3, "known": 2}

    def test_for_people_it_is_a_table(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        typed = json.dumps([after(member, "sk_live_")])
        outcome = commands.succeed("keys", "import", "-", "--dry-run", typed=typed)
        assert outcome.output.splitlines()[:4] == [
            "lines    1",
            "new      1",
            "known    0",
            "refused  0",
        ]
        assert member.email in outcome.output

    def test_each_of_many_faults_is_named(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        assert len(faults(commands, *(line(member, "x") for _ in range(300)))) == 300
