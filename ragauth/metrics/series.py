"""The metrics of the service by name; docs/operations.md explains them to operators."""

from ragauth.metrics.families import Counter, Gauge, Histogram

ALLOWED = "allowed"
UNAVAILABLE = "unavailable"
VERDICTS = (
    ALLOWED,
    # The reasons for refusing a credential, in the contract's words; some never apply to a key.
    *("missing", "malformed", "invalid", "expired", "revoked", "reused", "wrong_credential_type"),
    *("insufficient_scope", "wrong_agent", "account_suspended"),
    *("ip_not_allowed", "origin_not_allowed", "https_required", "second_factor_required"),
    # Refusals by a limit, and checks without a verdict.
    *("rate_limit_exceeded", "usage_limit_exceeded"),
    UNAVAILABLE,
)
LIMITS = (
    "requests_per_minute",
    "requests_per_month",
    # All others of accounts and of keys: their meters are declared at run time.
    "account_limit",
    "key_limit",
    "max_keys",
    "max_agents",
    "login_failures_per_account",
    "login_failures_per_address",
    "signups_per_address",
    "forgotten_passwords_per_address",
    "mails_per_account",
    "mails_per_recipient",
    "resets_per_recipient",
    "writes_per_account",
    "revocations_per_session",
    "exports_per_account",
    "password_confirmation_failures",
    "second_factor_failures",
    "second_factor_failures_per_day",
)

CHECKS = Histogram(
    "ragauth_check_duration_seconds",
    "Time to decide on a key, database and counters included",
    (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
    labels=("verdict",),
    series=((verdict,) for verdict in VERDICTS),
)
LIMIT_HITS = Counter(
    "ragauth_limit_hits",
    "What a limit refused",
    labels=("limit",),
    series=((limit,) for limit in LIMITS),
)
HASHES = Histogram(
    "ragauth_hashing_duration_seconds",
    "Time to hash a password, waiting for the thread included",
    (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
HASHES_REFUSED = Counter(
    "ragauth_hashing_refused", "Passwords turned away because every place to hash was taken"
)
HASHING_PLACES_TAKEN = Gauge(
    "ragauth_hashing_places_taken", "Passwords that are hashed, or wait to be, in all workers"
)
DATABASE_ERRORS = Counter(
    "ragauth_database_errors", "Statements and connections that failed for want of the database"
)
FROZEN = Gauge(
    "ragauth_database_frozen_workers",
    "Processes that the database does not answer: it is frozen, or packets are lost",
)
REDIS_LOST = Counter("ragauth_redis_lost", "How often a worker lost Redis and went on alone")
STANDING_IN = Gauge(
    "ragauth_redis_standing_in_workers", "Workers that count on this host alone, without Redis"
)
CAUSES = (
    *("counters", "mail_folder", "mail_server", "seals", "bug", "process"),
    *("database_unreachable", "database_refused", "database_missing", "database_not_migrated"),
    *("database_other_schema", "database_read_only", "database_not_permitted", "database_full"),
    *("database_damaged", "database_wrong_encoding", "database_no_schema"),
    *("database_no_tls", "database_parameter", "database_pooled", "database_frozen"),
)
WORKS = ("usage", "mail", "webhooks", "expiry")
FAILING = Gauge(
    "ragauth_failing_workers",
    "Processes whose work beside the requests fails, by its cause",
    labels=("work", "cause"),
    series=((work, cause) for work in WORKS for cause in CAUSES),
)
LOG_LINES_LOST = Counter(
    "ragauth_log_lines_lost", "Lines that standard error did not take and no queue had room for"
)
WORKER_STARTS = Counter(
    "ragauth_worker_starts", "Worker processes that were started, successors of dead ones too"
)
CLOCK_STEPS = Counter(
    "ragauth_clock_steps",
    "How often the host's clock was set to another time while the service ran",
    labels=("direction",),
    series=(("forward",), ("back",)),
)
KILLED = "killed"
HUNG = "hung"
WORKER_DEATHS = Counter(
    "ragauth_worker_deaths",
    "Worker processes that something killed, or that hung and were replaced",
    labels=("cause",),
    series=((KILLED,), (HUNG,)),
)
PROCESS_DEATHS = Counter(
    "ragauth_beside_deaths",
    "Processes beside the workers that something killed, or that hung and were replaced",
    labels=("cause",),
    series=((KILLED,), (HUNG,)),
)
WEBHOOK_ATTEMPTS = Counter(
    "ragauth_webhook_attempts",
    "Attempts to deliver a message to a webhook, by the state of the delivery after it",
    labels=("state",),
    series=(("delivered",), ("pending",), ("failed",)),
)
EVENTS = Counter(
    "ragauth_events", "Entries in the accounts' security history", labels=("event",), series=()
)
