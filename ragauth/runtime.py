"""The parts of one running application, in one object that is made once.

The factory makes it and puts it in `app.extensions["ragauth"]`. This module imports the layers
below; these must not import it. They call `ragauth.extensions.current`, and one accessor for each
part (`current_policy`, `current_limits` …) names that part's type.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flask import Flask
from sqlalchemy import Engine

from ragauth.background.clock_watch import ClockWatch
from ragauth.background.expiry import ExpiryWatch
from ragauth.background.mail import MailSender
from ragauth.background.threads import Background
from ragauth.background.usage import UsageSaver, save_all
from ragauth.background.webhooks import WebhookSender
from ragauth.blueprints.compat.face import DOCUMENT, Face
from ragauth.config import Settings
from ragauth.counters import CountersUnavailable, open_counters
from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import db
from ragauth.models.installation import InstallationLookup
from ragauth.models.reads.holders import HolderLookup
from ragauth.models.reads.keys import KeyLookup
from ragauth.models.reads.prepared import PreparedReads
from ragauth.models.reads.sessions import SessionLookup
from ragauth.models.reads.signing_keys import SigningKeyLookup
from ragauth.models.reads.usage import UsageLookup
from ragauth.policy import Policy
from ragauth.services.accounts.limit_notices import LimitNotices
from ragauth.services.compat.query_upstream import QueryUpstream
from ragauth.services.keys.check import KeyChecker
from ragauth.services.keys.github_keys import GithubKeys
from ragauth.services.limits.limits import Limits
from ragauth.services.outbox.bell import Bell
from ragauth.services.sessions.signing_keys import SigningRing
from ragauth.web.faces import Wording
from ragauth.web.openapi import Documents
from ragauth.web.shared_answer import SharedAnswer

COUNTERS_FILE = "counters"


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of an application. `wordings` are those of the mounted faces, by prefix."""

    settings: Settings
    policy: Policy
    engine: Engine
    reads: PreparedReads
    limits: Limits
    limit_notices: LimitNotices
    session_lookup: SessionLookup
    holder_lookup: HolderLookup
    signing_ring: SigningRing
    key_checker: KeyChecker
    github_keys: GithubKeys
    query_upstream: QueryUpstream
    mail_bell: Bell
    webhook_bell: Bell
    wordings: Mapping[str, Wording]
    documents: Documents
    metrics: SharedAnswer[Any]
    background: Background

    def close(self) -> None:
        """Close what was opened; a later request opens it again."""
        self.query_upstream.close()
        self.reads.close()
        self.limits.counters.close()
        self.engine.dispose()


def make_runtime(app: Flask, settings: Settings, faces: Mapping[str, Face]) -> Runtime:
    """Make all parts for an application with a database. Opens nothing, so a fork may follow."""
    with app.app_context():
        engine = db.engine
    reads = PreparedReads(engine, settings.database_url, pooled=settings.is_pooled)
    counters = open_counters(
        settings.instance_dir / COUNTERS_FILE,
        settings.redis_url,
        partial(_installation_name, InstallationLookup(reads)),
        partial(save_all, app),
    )
    mail_bell, webhook_bell = Bell(), Bell()
    policy = _policy_in_force(settings, faces)
    imports = any(face.imports_keys for face in faces.values())
    key_lookup = KeyLookup(reads, expects_imports=imports)
    limits = Limits(counters, policy, UsageLookup(reads), settings.reservation_seconds)
    return Runtime(
        settings=settings,
        policy=policy,
        engine=engine,
        reads=reads,
        limits=limits,
        limit_notices=LimitNotices(limits),
        session_lookup=SessionLookup(reads),
        holder_lookup=HolderLookup(reads),
        signing_ring=SigningRing(SigningKeyLookup(reads)),
        key_checker=KeyChecker(key_lookup, limits, settings.key_brand, policy),
        github_keys=GithubKeys(settings.github_keys_url),
        query_upstream=QueryUpstream(settings.compat_query_upstream),
        mail_bell=mail_bell,
        webhook_bell=webhook_bell,
        wordings={prefix: face.wording for prefix, face in faces.items()},
        documents=Documents(
            {face.document.title: prefix + DOCUMENT for prefix, face in faces.items()}
        ),
        metrics=SharedAnswer(_read_metrics),
        background=Background(
            app,
            (mail_bell, webhook_bell),
            usage=UsageSaver(app),
            mail=MailSender(app),
            webhooks=WebhookSender(app),
            expiry=ExpiryWatch(app),
            clock=ClockWatch(app),
        ),
    )


def _policy_in_force(settings: Settings, faces: Mapping[str, Face]) -> Policy:
    """The settings' policy; a face whose keys have scopes of their own opens the scopes."""
    if settings.policy.open_scopes or not any(face.opens_scopes for face in faces.values()):
        return settings.policy
    return replace(settings.policy, open_scopes=True)


def _read_metrics() -> Any:
    """The page's metrics; its module is loaded by the first scrape, not by every start."""
    from ragauth.web import metrics_page  # noqa: PLC0415

    return metrics_page.families()


def _installation_name(lookup: InstallationLookup) -> str:
    """The installation's name for its counters; CountersUnavailable without a database."""
    try:
        name = lookup.name()
    except ExternalServiceUnavailable as error:
        raise CountersUnavailable(
            "the database does not tell the installation's name", "waits for the database"
        ) from error
    if name is None:
        raise CountersUnavailable("the table `installation` is empty")
    return name
