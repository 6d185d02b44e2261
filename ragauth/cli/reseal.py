"""Moves sealed data to a new secret."""

import click
from flask.cli import with_appcontext

from ragauth.cli.output import (
    Command,
    as_json_option,
    one_line_faults,
    print_record,
    show_progress,
)
from ragauth.services.accounts import second_factor_codes
from ragauth.services.operators import webhooks
from ragauth.services.sessions import signing_key_rotation


@click.command("reseal", cls=Command)
@as_json_option
@with_appcontext
def reseal(as_json: bool) -> None:
    """Seal with RAGAUTH_SECRET_KEY what one of RAGAUTH_OLD_SECRET_KEYS sealed.

    It seals signing keys, the secrets of webhooks and second factors; a second run does no harm.
    Waiting mail can be opened with either secret. Passwords move when their owners log in.
    """
    with one_line_faults():
        signing_keys, unreadable_keys = signing_key_rotation.reseal()
        resealed_webhooks, unreadable_webhooks = webhooks.reseal()
        account_ids = second_factor_codes.list_enrolled()
    factors = unreadable_factors = 0
    for account_id in show_progress(account_ids, "second factors"):
        with one_line_faults():
            outcome = second_factor_codes.reseal(account_id)
        factors += outcome is True
        unreadable_factors += outcome is None
    print_record(
        {
            "signing_keys": signing_keys,
            "unreadable_signing_keys": unreadable_keys,
            "webhooks": resealed_webhooks,
            "unreadable_webhooks": unreadable_webhooks,
            "second_factors": factors,
            "unreadable_second_factors": unreadable_factors,
        },
        as_json=as_json,
    )
