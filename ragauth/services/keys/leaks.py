"""Keys that were found in public: what GitHub's secret scanning reports, and what follows.

RAGAUTH_LEAKED_KEYS decides: the owner is told (`notify`), or the key is revoked too (`revoke`).
A report may come again, or twice in one body: its answer is the same, and an owner is told of one
key once a day. A publishable key is public by nature; it is no leak.
"""

import base64
import hashlib
import logging
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from ragauth import clock, transaction
from ragauth.extensions import db, settings
from ragauth.models import Account, ApiKey
from ragauth.models import accounts as account_rows
from ragauth.models import api_keys as key_rows
from ragauth.models.api_keys import PUBLISHABLE
from ragauth.models.reads.keys import KeyFacts
from ragauth.security.outside_urls import as_words, inert_text, inert_url, is_plain
from ragauth.services import audit
from ragauth.services.audit import Client, EventName
from ragauth.services.keys import revocation
from ragauth.services.keys.presented import find_presented
from ragauth.services.mail.queue import MailTemplate, queue_notice

log = logging.getLogger("ragauth")

REVOKE = "revoke"
TRUE_POSITIVE, FALSE_POSITIVE = "true_positive", "false_positive"

_TOLD_EVERY = timedelta(days=1)
_LONGEST_SOURCE = 50
_REPORTER = Client(ip=None, user_agent="GitHub secret scanning")


class Judgement(NamedTuple):
    """Whether a reported text is a key of this installation, dead or not."""

    token_hash: str
    token_type: str
    label: str


def report_leaks(leaks: Sequence[Mapping[str, Any]]) -> list[Judgement]:
    """Judge texts that were found in public, and do what follows for those that are keys.

    Each has `token`, `type`, and perhaps `url` and `source`. A key that is revoked stays as it is;
    an expired one, or one that is switched off, could be revived by its owner, so it counts.
    """
    # Each key once: the first place where it was found is told.
    first = {leak["token"]: leak for leak in reversed(leaks)}
    labels = {token: _judge(find_presented(token), leak) for token, leak in first.items()}
    return [Judgement(_hash(leak["token"]), leak["type"], labels[leak["token"]]) for leak in leaks]


def _hash(token: str) -> str:
    return base64.b64encode(hashlib.sha256(token.encode()).digest()).decode("ascii")


def _judge(key: KeyFacts | None, leak: Mapping[str, Any]) -> str:
    if key is None or key.kind == PUBLISHABLE:
        return FALSE_POSITIVE
    if not key.is_revoked:
        owner = None if key.account_id is None else uuid.UUID(bytes=key.account_id)
        _act(uuid.UUID(bytes=key.id), owner, leak)
    return TRUE_POSITIVE


def _act(key_id: uuid.UUID, account_id: uuid.UUID | None, leak: Mapping[str, Any]) -> None:
    url, source = inert_url(leak["url"]), leak["source"]
    with transaction.unit_of_work():
        # The lock: an erasure that comes first leaves nobody to tell.
        account = None if account_id is None else account_rows.lock_account(account_id)
        key = db.session.get(ApiKey, key_id)
        if key is None or key.revoked_at is not None:
            return
        is_revoked = settings().leaked_keys == REVOKE and revocation.revoke(
            key, _REPORTER, by="leak"
        )
        now = clock.now()
        if not key_rows.note_told_of_leak(key_id, now=now, unless_after=now - _TOLD_EVERY):
            return
        audit.record_key_event(
            EventName.KEY_LEAKED,
            key,
            _REPORTER,
            url=url,
            source=None if source is None else inert_text(source, longest=_LONGEST_SOURCE),
            revoked=is_revoked,
        )
        transaction.when_committed(lambda: _log(key, is_revoked=is_revoked))
        # A managed key is its operator's, who reads the event.
        if account is not None and not key.is_managed:
            _tell_owner(account, key.prefix, url, is_revoked=is_revoked)


def _log(key: ApiKey, *, is_revoked: bool) -> None:
    """A service's own key has no owner but the operator, who reads the log."""
    is_service = key.account_id is None
    log.log(
        logging.ERROR if is_service else logging.WARNING,
        "a service's key was found in public" if is_service else "a key was found in public",
        extra={"key_id": str(key.id), "prefix": key.prefix, "revoked": is_revoked},
    )


def _tell_owner(account: Account, prefix: str, url: str | None, *, is_revoked: bool) -> None:
    link = url if url is not None and is_plain(url) else ""
    queue_notice(
        template=MailTemplate.KEY_LEAKED,
        account=account,
        client=_REPORTER,
        prefix=prefix,
        place=link or (as_words(url) if url is not None else ""),
        link=link,
        revoked="revoked" if is_revoked else "",
    )
