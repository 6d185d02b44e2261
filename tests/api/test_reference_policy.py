"""The document of an application names the scopes of its own policy."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from flask import Flask

from tests.applications import running_app
from tests.clients import Client
from tests.factories.policies import USUAL, own_scopes
from tests.openapi import assert_valid
from tests.runtime import runtime_of


def document_of(app: Flask) -> dict[str, Any]:
    document: dict[str, Any] = Client(app).get("/openapi.json").get_json()
    return document


def asked(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas of `scope`, in the query of `authorize` and in the body of `verify`."""
    (parameter,) = (
        parameter
        for parameter in document["paths"]["/api/v1/authorize"]["get"]["parameters"]
        if parameter["name"] == "scope"
    )
    in_body = document["components"]["schemas"]["Verify"]["properties"]["scope"]
    return [{**parameter["schema"], "description": parameter["description"]}, in_body]


def given(document: dict[str, Any]) -> list[list[str]]:
    schemas = document["components"]["schemas"]
    names = ("NewKey", "AgentKey", "KeyChanges")
    return [schemas[name]["properties"]["scopes"]["items"]["enum"] for name in names]


@pytest.fixture(scope="module")
def ours(sqlite_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    changes = {"policy": own_scopes(), "instance_dir": tmp_path_factory.mktemp("ours")}
    with running_app(replace(runtime_of(sqlite_app).settings, **changes)) as app:
        document = document_of(app)
    assert_valid(document)
    return document


@pytest.fixture(scope="module")
def usual(sqlite_app: Flask) -> dict[str, Any]:
    """That of an application without a policy of its own."""
    return document_of(sqlite_app)


def test_a_list_has_those_that_an_owner_can_give(
    ours: dict[str, Any], usual: dict[str, Any]
) -> None:
    assert given(ours) == [USUAL] * 3
    assert given(usual) == [["query", "ingest", "manage"]] * 3


def test_a_question_has_one_or_several_of_those_declared(
    ours: dict[str, Any], usual: dict[str, Any]
) -> None:
    for schema in asked(ours):
        for scope in ("read", "train", "read docs.write:all", "train read suggest"):
            assert re.search(schema["pattern"], scope)
        for scope in ("", "query", "docs-write:all", "read  train", "read ", "readtrain"):
            assert re.search(schema["pattern"], scope) is None
        assert "- `docs.write:all`: Write documents" in schema["description"]
        assert schema["examples"] == ["read"]
    for schema in asked(usual):
        assert re.search(schema["pattern"], "query manage")
        assert re.search(schema["pattern"], "read") is None


def test_where_scopes_are_open_a_question_has_any(
    make_app: Callable[..., Flask], ours: dict[str, Any]
) -> None:
    open_ones = document_of(make_app(policy=own_scopes(open_scopes=True)))
    others = ours["components"]["schemas"]
    changed = [
        schema
        for name, schema in open_ones["components"]["schemas"].items()
        if schema != others[name]
    ]
    for schema in (*changed, *asked(open_ones)):
        jsonschema.Draft202012Validator.check_schema(schema)
    for schema in asked(open_ones):
        assert re.search(schema["pattern"], "read free:one")
        assert re.search(schema["pattern"], "Free") is None


def test_its_example_of_a_question_has_a_scope_that_there_is(ours: dict[str, Any]) -> None:
    body = ours["paths"]["/api/v1/keys/verify"]["post"]["requestBody"]["content"]
    assert body["application/json"]["example"]["scope"] == "read"
