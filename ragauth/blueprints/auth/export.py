"""Everything that the service holds of the account, for its owner."""

from flask import Response

from ragauth import clock
from ragauth.blueprints.auth.blueprint import auth
from ragauth.errors import ExportUnderWay, RateLimitExceeded
from ragauth.schemas.export import ExportSchema
from ragauth.security.identifiers import ACCOUNT, encode_id
from ragauth.services.accounts import data_export
from ragauth.services.sessions.sessions import Caller
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token
from ragauth.web.json_file import json_file


@auth.get("/export")
@endpoint(guard=access_token, data=ExportSchema, errors=(ExportUnderWay, RateLimitExceeded))
def export_account(caller: Caller) -> Response:
    """The account and all that belongs to it, as a file of JSON."""
    name = f"ragauth-{encode_id(ACCOUNT, caller.account.id)}-{clock.now():%Y-%m-%d}.json"
    client = current_client()
    with data_export.open_export(account_id=caller.account.id, client=client) as export:
        return json_file(ExportSchema(), export, name=name)
