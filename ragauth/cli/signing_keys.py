"""Operators' commands for the keys that tokens are signed with."""

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
from ragauth.cli.paging import paged, tell_of_more
from ragauth.cli.parameters import FieldType
from ragauth.clock import format_time
from ragauth.schemas.fields import Text
from ragauth.services.sessions import signing_key_rotation as service
from ragauth.services.sessions.signing_key_rotation import (
    MIN_SIGN_AFTER_SECONDS,
    SIGN_AFTER_SECONDS,
    KeyState,
    State,
)

signing_keys = Group("signing-keys", help="Rotate, list and retire signing keys.")

_COLUMNS = (
    "kid",
    "state",
    "created_at",
    "signs_from",
    "verifies_until",
    "retired_at",
    "sealed_with",
)


@signing_keys.command("rotate")
@click.option(
    "--sign-after",
    "sign_after_seconds",
    default=SIGN_AFTER_SECONDS,
    show_default=True,
    type=click.IntRange(MIN_SIGN_AFTER_SECONDS, 30 * 86_400),
    help="Seconds until the key signs. Verifiers that cache the key set for longer, and do not"
    " fetch it for an unknown kid, refuse its tokens until then.",
)
@as_json_option
def rotate(sign_after_seconds: int, as_json: bool) -> None:
    """Publish a new key at once and sign with it later; nobody is logged out."""
    with one_line_faults():
        record = _describe(service.rotate(sign_after_seconds=sign_after_seconds))
    print_record(record, as_json=as_json)


@signing_keys.command("list")
@click.option("--include-retired", is_flag=True, help="Retired keys too.")
@paged(FieldType("kid", Text(maximum=64)))
@as_json_option
def list_(include_retired: bool, limit: int, after: str | None, as_json: bool) -> None:
    """List the keys, oldest first."""
    with one_line_faults():
        rows = [
            _describe(key)
            for key in service.list_keys()
            if include_retired or key.state is not State.RETIRED
        ]
    kids = [row["kid"] for row in rows]
    start = kids.index(after) + 1 if after in kids else 0
    shown = rows[start : start + limit] if limit else rows[start:]
    print_rows(shown, _COLUMNS, as_json=as_json)
    if start + len(shown) < len(rows):
        tell_of_more(len(shown), len(rows), after=str(shown[-1]["kid"]), as_json=as_json)


# A kid may begin with a hyphen.
@signing_keys.command("retire", context_settings={"ignore_unknown_options": True})
@click.argument("kid")
@click.option(
    "--force",
    is_flag=True,
    help="Even if its tokens are still valid: their holders must log in again.",
)
@yes_option
@as_json_option
def retire(kid: str, force: bool, yes: bool, as_json: bool) -> None:
    """Retire a key: every worker refuses its tokens within a second."""
    confirm(f"Retire {kid}? Its private half is deleted.", yes=yes)
    with one_line_faults():
        service.retire(kid=kid, force=force)
    print_change("retired", {"kid": kid, "state": State.RETIRED.value}, as_json=as_json)


def _describe(key: KeyState) -> dict[str, object]:
    moments = {
        "created_at": key.row.created_at,
        "signs_from": key.row.signs_from,
        "verifies_until": key.verifies_until,
        "retired_at": key.row.retired_at,
    }
    return {
        "kid": key.row.kid,
        "state": key.state.value,
        **{name: moment and format_time(moment) for name, moment in moments.items()},
        "sealed_with": key.sealed and key.sealed.value,
    }
