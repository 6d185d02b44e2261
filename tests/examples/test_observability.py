"""The dashboard, the alerts and the handbook speak of metrics that the service really has."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from ragauth.metrics import STANDING_IN
from tests.applications import make_settings, running_app
from tests.clients import Client
from tests.servers.gunicorn import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "examples" / "observability"
HANDBOOK = (PROJECT_ROOT / "docs" / "operations.md").read_text()

_SELECTOR = re.compile(r"\b(?P<name>ragauth_\w+|process_\w+|up)\b(?:\{(?P<labels>[^}]*)\})?")
_LABEL = re.compile(r"(?P<name>\w+)(?P<operator>=~|!~|!=|=)\"(?P<value>[^\"]*)\"")
# What Prometheus itself adds to every series.
_ADDED = {"instance", "job"}

Series = dict[str, dict[str, set[str]]]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Any) -> Series:
    """Each series of a real scrape: its labels with the values that they have."""
    folder = tmp_path_factory.mktemp("observed")
    (folder / "ragauth.db").write_bytes(sqlite_template.read_bytes())
    settings = make_settings(folder, f"sqlite:///{folder / 'ragauth.db'}")
    found: Series = {"up": {}}
    with running_app(settings) as app:
        _scrape(app, found)
    # One that has a Redis, too, although it is away.
    with running_app(replace(settings, redis_url="redis://127.0.0.1:1/0")) as app:
        _scrape(app, found)
    STANDING_IN.add(-1)
    return found


def _scrape(app: Flask, found: Series) -> None:
    client = Client(app)
    client.get("/api/v1/authorize", headers={"X-API-Key": "rag_live_unknown"})
    client.get("/healthz")
    client.get("/metrics")
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, defaultdict(set))
            for name, value in sample.labels.items():
                labels[name].add(value)


def _dashboard() -> dict[str, Any]:
    dashboard: dict[str, Any] = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    return dashboard


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "ragauth-alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _expressions() -> Iterator[tuple[str, str]]:
    for rule in _rules():
        yield rule["alert"], rule["expr"]
    for panel in _dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for annotation in _dashboard()["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


def _faults(expression: str, series: Series) -> list[str]:
    """What an expression asks for that no scrape has."""
    faults = []
    for selector in _SELECTOR.finditer(expression):
        name = selector["name"]
        if name not in series:
            faults.append(f"no series {name}")
            continue
        for label in _LABEL.finditer(selector["labels"] or ""):
            values = series[name].get(label["name"])
            if label["name"] in _ADDED:
                continue
            if values is None:
                faults.append(f"{name} has no label {label['name']}")
            elif label["operator"] == "=" and label["value"] not in values:
                faults.append(f"no {name} whose {label['name']} is {label['value']}")
    for opening, closing in ("()", "[]", "{}"):
        if expression.count(opening) != expression.count(closing):
            faults.append(f"{opening} without {closing}")
    return faults


def test_every_expression_asks_for_what_a_scrape_has(series: Series) -> None:
    expressions = list(_expressions())
    assert len(expressions) > 35
    assert [fault for _, text in expressions for fault in _faults(text, series)] == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("ragauth_nothing_total > 0", "no series ragauth_nothing_total"),
        ('rate(ragauth_limit_hits_total{kind="x"}[5m])', "has no label kind"),
        ('ragauth_limit_hits_total{limit="x"}', "whose limit is x"),
        ("sum(rate(ragauth_limit_hits_total[5m])", "( without )"),
    ],
)
def test_an_expression_that_asks_for_more_is_found(
    series: Series, expression: str, fault: str
) -> None:
    (found,) = _faults(expression, series)
    assert fault in found


def test_every_alert_says_how_bad_it_is_and_what_it_saw() -> None:
    rules = _rules()
    assert len(rules) > 10
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


def test_the_handbook_tells_what_each_alert_means() -> None:
    assert [rule["alert"] for rule in _rules() if f"`{rule['alert']}`" not in HANDBOOK] == []


def test_the_handbook_names_every_metric_and_no_other(series: Series) -> None:
    told = set(re.findall(r"`(ragauth_\w+|process_\w+)", HANDBOOK))
    there = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series} - {"up"}
    assert told == there


def test_the_sample_configuration_reads_the_rules_beside_it() -> None:
    sample = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    assert all((FOLDER / name).is_file() for name in sample["rule_files"])
    (job,) = sample["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("ragauth", "/metrics")


def test_no_two_panels_lie_on_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in _dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
