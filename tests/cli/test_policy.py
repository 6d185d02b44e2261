"""`policy check` and `policy show`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from ragauth.policy import DEFAULT_POLICY, Policy, read_policy, write_policy
from tests.cli.conftest import Commands

EXAMPLE = Path(__file__).parents[2] / "examples" / "policy.toml"
HOSTILE = """
open_scopes = true
[scopes."docs.write:all"]
description = "Änder \\"alles\\" \\\\ 🗝"
grant = "operator"
publishable = true
[scopes.a_b-c]
description = "C"
account_wide = true
[meters.requests]
description = "Calls"
[meters.tokens]
[plans.trial]
max_keys = 0
max_agents = 1_000_000_000_000
test = false
features = ["rerank", "gpt-4o/mini"]
limits = { tokens = { 250ms = 0, total = 7 }, requests = { 60s = 1, day = 2 } }
[plans.-]
max_keys = 1
max_agents = 1
"""


def policies() -> list[Policy]:
    return [DEFAULT_POLICY, read_policy(HOSTILE.encode()), read_policy(EXAMPLE.read_bytes())]


def parts_of(policy: Policy) -> tuple[Any, ...]:
    return policy.scopes, policy.meters, policy.plans, policy.open_scopes, policy.usual_scopes


class TestCheck:
    def test_a_file_that_fits(self, commands: Commands) -> None:
        outcome = commands.succeed("policy", "check", str(EXAMPLE))
        assert "\nplans: trial" in outcome.output
        assert commands.succeed("policy", "check", str(EXAMPLE), "--json").json == {
            "fits": True,
            "faults": [],
        }

    def test_all_faults_with_their_places(self, commands: Commands, tmp_path: Path) -> None:
        path = tmp_path / "policy.toml"
        path.write_text("open_scopes = 1\n[plans.trial]\nmax_keys = true\nmax_agents = 1")
        outcome = commands.run("policy", "check", str(path))
        assert (outcome.exit_code, outcome.output) == (1, "")
        assert outcome.errors.splitlines() == [
            f"Error: {path} has 2 faults",
            "open_scopes: Must be true or false",
            "plans.trial.max_keys: Must be a whole number from 0 to 1000000000000",
        ]
        as_json = commands.run("policy", "check", str(path), "--json")
        assert as_json.exit_code == 1
        assert [fault["place"] for fault in as_json.json["faults"]] == [
            "open_scopes",
            "plans.trial.max_keys",
        ]
        assert as_json.json["fits"] is False

    def test_a_file_that_is_no_toml(self, commands: Commands, tmp_path: Path) -> None:
        path = tmp_path / "policy.toml"
        path.write_text("\n[plans.trial\n")
        (_, fault) = commands.run("policy", "check", str(path)).errors.splitlines()
        assert fault.startswith("line 2: ")

    def test_a_file_that_is_not_there(self, commands: Commands, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "none.toml"):
            assert str(path) in commands.misuse("policy", "check", str(path))


class TestShow:
    @pytest.mark.parametrize("policy", policies(), ids=["default", "hostile", "example"])
    def test_what_is_in_force_is_read_again_as_it_is(
        self, make_app: Callable[..., Flask], policy: Policy
    ) -> None:
        commands = Commands(make_app(policy=policy))
        shown = commands.succeed("policy", "show").output
        again = read_policy(shown.encode())
        assert parts_of(again) == parts_of(policy)
        assert write_policy(again) == shown

    def test_json_has_all_of_it(self, make_app: Callable[..., Flask]) -> None:
        commands = Commands(make_app(policy=read_policy(HOSTILE.encode())))
        shown = commands.succeed("policy", "show", "--json").json
        assert shown["open_scopes"] is True
        assert shown["scopes"]["docs.write:all"] == {
            "description": 'Änder "alles" \\ 🗝',
            "account_wide": False,
            "publishable": True,
            "grant": "operator",
        }
        assert shown["meters"] == {
            "requests": {"description": "Calls"},
            "tokens": {"description": "tokens"},
        }
        assert shown["plans"]["trial"] == {
            "max_keys": 0,
            "max_agents": 10**12,
            "limits": {"tokens": {"250ms": 0, "total": 7}, "requests": {"minute": 1, "day": 2}},
            "features": ["rerank", "gpt-4o/mini"],
            "test": False,
        }
        assert shown["plans"]["-"]["limits"] == {}
        assert json.dumps(shown)
