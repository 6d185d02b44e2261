"""Every POST below /api/v1/internal takes an Idempotency-Key, whoever adds it (S51)."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select
from werkzeug.routing import Rule

from ragauth.blueprints.reference import HOUSE_FACE
from ragauth.extensions import db
from ragauth.models import IdempotentCall
from ragauth.security.scopes import SERVICE_SCOPES
from ragauth.web.endpoint import Declaration
from ragauth.web.openapi.document import build_document
from ragauth.web.openapi.shapes import Shapes
from tests.api.internal.idempotency.things import add_things
from tests.clients import Client, Member
from tests.factories.api_keys import make_service_key
from tests.factories.webhooks import a_delivery, a_webhook

BELOW = "/api/v1/internal/"
NAMED = {"Idempotency-Key": "one call"}
# For each name in the paths of these routes: makes such a thing, and returns its id.
IDS: dict[str, Callable[[Member], str]] = {
    "account_id": lambda member: member.id,
    "key_id": lambda member: member.create_key()["id"],
    "webhook_id": lambda member: a_webhook(member.client.app),
    "delivery_id": lambda member: a_delivery(member.client.app, a_webhook(member.client.app)),
}
# Where the body that the document shows would be refused: another, by the rule.
BODIES: dict[str, dict[str, Any]] = {}
# The test's own routes, whose views are wrong.
WRONG = ("/refused_and_kept", "/broken_after_the_work", "/twice", "/nothing")


@pytest.fixture
def app(app: Flask, make_app: Callable[..., Flask]) -> Flask:
    return add_things(make_app())


def rules_of(app: Flask) -> list[Rule]:
    return [
        rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(BELOW) and "POST" in (rule.methods or ())
    ]


def body_of(app: Flask, rule: Rule) -> Any:
    """The body that the document shows for a route; None for one that takes none."""
    declaration: Declaration = app.view_functions[rule.endpoint].declaration  # type: ignore[attr-defined]
    with app.app_context():
        shown = declaration.body and Shapes("", "").example(declaration.body)
    return BODIES.get(rule.rule, shown)


def faults_of(app: Flask, service: Client, rule: Rule) -> list[str]:
    """What is wrong with a route's answer to two calls of one name."""
    ids = {name: IDS[name](Client(app).sign_up()) for name in rule.arguments}
    with app.test_request_context():
        path = app.url_map.bind("").build(rule.endpoint, ids)
    first, again = (service.post(path, body_of(app, rule), headers=NAMED) for _ in range(2))
    with app.app_context(), db.engine.begin() as connection:
        rows = connection.execute(select(IdempotentCall.__table__.c.status)).all()
        connection.execute(delete(IdempotentCall.__table__))
    if first.status_code >= 300:
        return [f"{rule.rule}: {first.status_code} {first.text}"]
    if (again.status_code, again.data) != (first.status_code, first.data):
        return [f"{rule.rule}: another answer"]
    return [] if rows == [(first.status_code,)] else [f"{rule.rule}: {rows}"]


def test_each_answers_a_repetition_as_the_first_call(app: Flask, client: Client) -> None:
    """S51. A new route whose ids or body the test does not know is to be told above."""
    service = client.as_key(make_service_key(app, *SERVICE_SCOPES))
    rules = rules_of(app)
    faults = [fault for rule in rules for fault in faults_of(app, service, rule)]
    found = {fault.partition(":")[0] for fault in faults}
    wrong = {rule.rule for rule in rules if rule.rule.endswith(WRONG)}
    assert found - wrong == set(), faults
    # The test finds a view that does not keep to it.
    assert found == wrong
    assert len(wrong) == len(WRONG)


def test_each_is_documented_with_the_header(app: Flask) -> None:
    paths = build_document(app, HOUSE_FACE)["paths"]
    found = set()
    for path, operations in paths.items():
        for method, operation in operations.items():
            names = [
                each["name"] for each in operation.get("parameters", ()) if each["in"] == "header"
            ]
            if "Idempotency-Key" in names:
                found.add((path, method))
                assert (
                    "Idempotency-Key was sent with another"
                    in operation["responses"]["409"]["description"]
                )
    expected = {(rule.rule.replace("<", "{").replace(">", "}"), "post") for rule in rules_of(app)}
    assert found == expected
    assert len(found) >= 2
