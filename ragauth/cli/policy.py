"""Operators' commands for the policy: scopes, meters and plans. They need no instance."""

import json
from pathlib import Path

import click

from ragauth.cli.output import Group, SeveralFaults, as_json_option
from ragauth.extensions import current_policy
from ragauth.policy import FaultyPolicy, describe_policy, read_policy, write_policy

policy = Group("policy", help="Check a policy file, or show the policy in force.")


@policy.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json_option
def check(file: Path, as_json: bool) -> None:
    """Read a policy file and name all of its faults, each with its place.

    The exit code is 0 for a file without a fault. No setting is read.
    """
    try:
        checked = read_policy(file.read_bytes())
    except OSError as error:
        raise click.ClickException(f"cannot read {file}: {error.strerror}") from error
    except FaultyPolicy as error:
        faults = error.faults
        if as_json:
            told = [{"place": fault.place, "message": fault.message} for fault in faults]
            click.echo(json.dumps({"fits": False, "faults": told}, indent=2))
            raise SystemExit(1) from error
        counted = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise SeveralFaults(f"{file} has {counted}", *map(str, faults)) from error
    if as_json:
        click.echo(json.dumps({"fits": True, "faults": []}, indent=2))
        return
    kinds = {"scopes": checked.scopes, "meters": checked.meters, "plans": checked.plans}
    for kind, names in kinds.items():
        click.echo(f"{kind}: {', '.join(names)}")


@policy.command("show")
@as_json_option
def show(as_json: bool) -> None:
    """Show the policy in force: as TOML that can be a policy file, or as JSON."""
    in_force = current_policy()
    if as_json:
        click.echo(json.dumps(describe_policy(in_force), indent=2))
        return
    click.echo(write_policy(in_force), nl=False)
