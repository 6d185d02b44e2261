"""The rules about the source hold, and each of them notices when it is broken."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.architecture import rules
from tests.architecture.rules import Rule
from tests.cases import for_each
from tests.servers.gunicorn import PROJECT_ROOT

_RULES = [
    rules.commits_only_in_transaction,
    rules.transactions_begin_in_services,
    rules.environment_only_in_config,
    rules.wall_clock_only_in_clock,
    rules.normal_forms_in_one_module,
    rules.patterns_have_names,
    rules.services_know_no_http,
    rules.nothing_prints,
    rules.files_are_short,
    rules.modules_say_what_they_own,
]

# A file that breaks a rule, and what the rule must say of it.
_VIOLATIONS = [
    (
        rules.commits_only_in_transaction,
        "services/accounts/accounts.py",
        "def close(db):\n    db.session.commit()\n",
        ["services/accounts/accounts.py:2: commit()"],
    ),
    (
        rules.commits_only_in_transaction,
        "models/base.py",
        "def undo(session):\n    session.rollback()\n",
        ["models/base.py:2: rollback()"],
    ),
    (
        rules.transactions_begin_in_services,
        "web/endpoint.py",
        "def call(transaction):\n    with transaction.unit_of_work():\n        pass\n",
        ["web/endpoint.py:2: unit_of_work()"],
    ),
    (
        rules.environment_only_in_config,
        "services/mail/queue.py",
        "import os\nHOST = os.environ['MAIL_HOST']\n",
        ["services/mail/queue.py:2: os.environ"],
    ),
    (
        rules.environment_only_in_config,
        "web/logs.py",
        "from os import getenv as read\nLEVEL = read('LEVEL')\n",
        ["web/logs.py:2: os.getenv"],
    ),
    (
        rules.wall_clock_only_in_clock,
        "services/sessions/sessions.py",
        "import time\nfrom datetime import datetime\nA = time.time()\nB = datetime.now()\n",
        [
            "services/sessions/sessions.py:3: time.time",
            "services/sessions/sessions.py:4: datetime.datetime.now",
        ],
    ),
    (
        rules.wall_clock_only_in_clock,
        "models/usage.py",
        "import datetime as dt\nfrom time import time_ns\nA = dt.date.today()\nB = time_ns()\n",
        ["models/usage.py:3: datetime.date.today", "models/usage.py:4: time.time_ns"],
    ),
    (
        rules.normal_forms_in_one_module,
        "services/accounts/accounts.py",
        "from unicodedata import normalize\nA = normalize('NFC', 'a')\nB = 'a'.casefold()\n",
        [
            "services/accounts/accounts.py:2: unicodedata.normalize",
            "services/accounts/accounts.py:3: casefold()",
        ],
    ),
    (
        rules.normal_forms_in_one_module,
        "schemas/fields.py",
        "import email_validator\nA = email_validator.validate_email('a')\n",
        ["schemas/fields.py:2: email_validator.validate_email"],
    ),
    (
        rules.patterns_have_names,
        "web/paths.py",
        "import re\n\n\ndef f(t):\n    return re.compile('a').match(t) or re.search('b', t)\n",
        ["web/paths.py:5: re.search", "web/paths.py:4: re.compile() in f"],
    ),
    (
        rules.services_know_no_http,
        "services/limits/limits.py",
        "from flask import request\n\n\ndef who():\n    return request.remote_addr\n",
        ["services/limits/limits.py:5: flask.request"],
    ),
    (
        rules.services_know_no_http,
        "models/events.py",
        "import flask\n\n\ndef dump(row):\n    return flask.jsonify(row)\n",
        ["models/events.py:5: flask.jsonify"],
    ),
    (rules.nothing_prints, "cli/keys.py", "print('done')\n", ["cli/keys.py:1: print"]),
    (rules.files_are_short, "web/check/gate.py", "A = 1\n" * 401, ["web/check/gate.py: 401 lines"]),
    (rules.modules_say_what_they_own, "web/check/gate.py", "A = 1\n", ["web/check/gate.py"]),
]

# A file that is within the rule, though it looks much like one that is not.
_LOOK_ALIKES = [
    (rules.commits_only_in_transaction, "transaction.py", "def end(db):\n    db.commit()\n"),
    (
        rules.transactions_begin_in_services,
        "services/accounts/emails.py",
        "def read(transaction):\n    with transaction.read_only():\n        pass\n",
    ),
    (rules.environment_only_in_config, "config/server.py", "import os\nA = os.environ\n"),
    (
        rules.environment_only_in_config,
        "web/check/gate.py",
        "def f(environ):\n    return environ\n",
    ),
    (rules.wall_clock_only_in_clock, "clock.py", "import time\nA = time.time()\n"),
    (rules.wall_clock_only_in_clock, "web/log.py", "import time\nA = time.perf_counter()\n"),
    (rules.wall_clock_only_in_clock, "web/log.py", "from ragauth import clock\nA = clock.now()\n"),
    (
        rules.normal_forms_in_one_module,
        "security/normal_forms.py",
        "import unicodedata\nA = unicodedata.normalize('NFC', 'a').casefold()\n",
    ),
    (
        rules.normal_forms_in_one_module,
        "security/emails.py",
        "from email_validator import validate_email\nA = validate_email\n",
    ),
    (rules.patterns_have_names, "web/paths.py", "import re\nA = re.compile(re.escape('a'))\n"),
    (
        rules.patterns_have_names,
        "web/cors.py",
        "import re\n\n\ndef f():\n    return re.compile('a')\n",
    ),
    (rules.services_know_no_http, "web/client.py", "from flask import request\nA = request.path\n"),
    (rules.services_know_no_http, "services/audit.py", "from flask import Flask\nA = Flask\n"),
    (rules.files_are_short, "web/check/gate.py", "A = 1\n" * 400),
    (rules.files_are_short, "migrations/versions/0009_wide.py", "A = 1\n" * 900),
    (rules.modules_say_what_they_own, "blueprints/__init__.py", ""),
]


@for_each("rule", _RULES)
def test_the_source_keeps_the_rule(rule: Rule) -> None:
    assert rule(PROJECT_ROOT / "ragauth") == []


@for_each(("rule", "name", "text", "faults"), _VIOLATIONS)
def test_a_planted_violation_is_found(
    tmp_path: Path, rule: Rule, name: str, text: str, faults: list[str]
) -> None:
    with _planted(tmp_path, name, text):
        assert rule(tmp_path) == faults


@for_each(("rule", "name", "text"), _LOOK_ALIKES)
def test_what_only_looks_like_a_violation_is_not_one(
    tmp_path: Path, rule: Rule, name: str, text: str
) -> None:
    with _planted(tmp_path, name, text):
        assert rule(tmp_path) == []


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, *_ in _VIOLATIONS} == set(_RULES)


@contextmanager
def _planted(folder: Path, name: str, text: str) -> Iterator[None]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.unlink()
