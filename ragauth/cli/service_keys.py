"""Operators' commands for the keys of services: a gateway, a billing job."""

import uuid

import click

from ragauth.cli.output import (
    Group,
    as_json_option,
    confirm,
    one_line_faults,
    print_change,
    print_record,
    print_rows,
    yes_option,
)
from ragauth.cli.paging import collect_pages, paged, tell_of_more
from ragauth.cli.parameters import KEY_ID, FieldType
from ragauth.schemas.api_keys import KeySchema
from ragauth.schemas.fields import Name
from ragauth.security.scopes import SERVICE_SCOPES
from ragauth.services.operators import service_keys as service

service_keys = Group("service-keys", help="Create, list and revoke the keys of services.")

_COLUMNS = ("id", "name", "prefix", "scopes", "is_active", "created_at")


@service_keys.command("create")
@click.option(
    "--name",
    required=True,
    type=FieldType("text", Name(minimum=1, maximum=100)),
    help="What the key is for, such as gateway or billing.",
)
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice(SERVICE_SCOPES),
    help="What the key may do; may be given more than once.",
)
@as_json_option
def create(name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Create a key and print it; it is not shown again."""
    with one_line_faults():
        issued = service.create_service_key(name=name, scopes=list(dict.fromkeys(scopes)))
        record = {"api_key": issued.raw_key, **_describe(issued.key)}
    print_record(record, as_json=as_json)


@service_keys.command("list")
@click.option("--include-revoked", is_flag=True, help="Revoked keys too.")
@paged(KEY_ID)
@as_json_option
def list_(include_revoked: bool, limit: int, after: uuid.UUID | None, as_json: bool) -> None:
    """List the keys, newest first."""
    with one_line_faults():
        found = collect_pages(
            lambda **page: service.list_service_keys(include_revoked=include_revoked, **page),
            limit=limit,
            after=after,
        )
        rows = [_describe(key) for key in found.rows]
        total = service.count_service_keys(include_revoked=include_revoked) if found.more else 0
    print_rows(rows, _COLUMNS, as_json=as_json)
    if found.more:
        tell_of_more(len(rows), total, after=str(rows[-1]["id"]), as_json=as_json)


@service_keys.command("revoke")
@click.argument("key_id", type=KEY_ID)
@yes_option
@as_json_option
def revoke(key_id: uuid.UUID, yes: bool, as_json: bool) -> None:
    """Revoke a key; it is dead at once and for good."""
    confirm("The service that uses this key will be refused. Revoke it?", yes=yes)
    with one_line_faults():
        record = _describe(service.revoke_service_key(key_id=key_id))
    print_change("revoked", record, as_json=as_json)


def _describe(key: object) -> dict[str, object]:
    described: dict[str, object] = KeySchema().dump(key)
    return {column: described[column] for column in _COLUMNS}
