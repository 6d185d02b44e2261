"""Reports of keys that were found in public."""

from collections.abc import Sequence
from typing import Any

from ragauth.blueprints.keys.blueprint import check
from ragauth.schemas.leaks import JudgementSchema, LeakSchema
from ragauth.services.keys import leaks
from ragauth.services.keys.leaks import Judgement
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import github_signature

TAG = "Key check"


@check.post("/leaks/github")
@endpoint(guard=github_signature, body=LeakSchema, data=JudgementSchema, is_bare_list=True)
def report_leaks(caller: str, body: Sequence[dict[str, Any]]) -> list[Judgement]:  # noqa: ARG001
    """Tell of keys that GitHub's secret scanning found in public; for GitHub alone.

    GitHub's secret scanning partner protocol: body and answer are arrays, in the same order. The
    header `Github-Public-Key-Signature` is an ECDSA signature (P-256, SHA-256, DER in base64) of
    the body's bytes by the key that `Github-Public-Key-Identifier` names. There is no such route
    unless RAGAUTH_GITHUB_KEYS_URL is set. RAGAUTH_LEAKED_KEYS decides whether a key is revoked or
    its owner only told.
    """
    return leaks.report_leaks(body)
