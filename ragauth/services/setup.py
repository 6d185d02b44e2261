"""What one application needs at hand: its plans, its counters, its key checker."""

import threading
from functools import partial

from flask import Flask

from ragauth.config import Settings
from ragauth.counters import CountersUnavailable, open_counters
from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import db
from ragauth.models.installation import InstallationLookup
from ragauth.models.reads.keys import KeyLookup
from ragauth.models.reads.prepared import PreparedReads
from ragauth.models.reads.sessions import SessionLookup
from ragauth.models.reads.signing_keys import SigningKeyLookup
from ragauth.models.reads.usage import UsageLookup
from ragauth.services.compat.query_upstream import QueryUpstream
from ragauth.services.keys.check import KeyChecker
from ragauth.services.limits.limits import Limits
from ragauth.services.limits.plans import load_plans
from ragauth.services.sessions.signing_keys import SigningRing

COUNTERS_FILE = "counters"


def init_services(app: Flask, settings: Settings) -> None:
    """Make them and put them where the services look. Opens nothing: a fork may follow."""
    plans = load_plans(settings.plans_file)
    with app.app_context():
        reads = PreparedReads(db.engine, settings.database_url, pooled=settings.is_pooled)
    counters = open_counters(
        settings.instance_dir / COUNTERS_FILE,
        settings.redis_url,
        partial(_installation_name, InstallationLookup(reads)),
    )
    limits = Limits(counters, plans, UsageLookup(reads).month_units)
    app.extensions["ragauth_plans"] = plans
    app.extensions["ragauth_mail_is_queued"] = threading.Event()
    app.extensions["ragauth_limits"] = limits
    app.extensions["ragauth_reads"] = reads
    app.extensions["ragauth_session_lookup"] = SessionLookup(reads)
    app.extensions["ragauth_signing_ring"] = SigningRing(SigningKeyLookup(reads))
    app.extensions["ragauth_key_checker"] = KeyChecker(KeyLookup(reads), limits, settings.key_brand)
    app.extensions["ragauth_query_upstream"] = QueryUpstream(settings.compat_query_upstream)


def _installation_name(lookup: InstallationLookup) -> str:
    """Whose counters they are; the counters are unavailable until the database has told it."""
    try:
        name = lookup.name()
    except ExternalServiceUnavailable as error:
        raise CountersUnavailable(
            "the database does not tell the installation's name", "waits for the database"
        ) from error
    if name is None:
        raise CountersUnavailable("the table `installation` is empty")
    return name


def close_services(app: Flask) -> None:
    """Close what the services opened; a later request opens it again."""
    reads: PreparedReads = app.extensions["ragauth_reads"]
    limits: Limits = app.extensions["ragauth_limits"]
    upstream: QueryUpstream = app.extensions["ragauth_query_upstream"]
    upstream.close()
    reads.close()
    limits.counters.close()
    with app.app_context():
        db.engine.dispose()
