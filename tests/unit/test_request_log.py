"""The request line, written past `logging`."""

import json
import os
import time

import pytest

from ragauth.web import around
from ragauth.web.log_writer import LogWriter


def test_a_log_that_nobody_reads_any_more_costs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(around, "log_writer", LogWriter(writer))
    arguments = ("id", "GET", "/healthz", 200, time.perf_counter(), "127.0.0.1", None)
    around.write_request_line(*arguments)
    assert b'"path": "/healthz"' in os.read(reader, 4096)
    os.close(reader)
    around.write_request_line(*arguments)
    os.close(writer)


@pytest.mark.parametrize(
    "secret",
    [
        "rag_live_" + "a1B2" * 9,
        "acme_svc_" + "a1B2" * 9,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
    ],
)
def test_a_credential_in_a_path_or_a_request_id_is_not_written(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    """S27: wherever a client puts it."""
    reader, writer = os.pipe()
    monkeypatch.setattr(around, "log_writer", LogWriter(writer))
    around.write_request_line(
        f"id-{secret}", "GET", f"/a/{secret}/b", 404, time.perf_counter(), "127.0.0.1", None
    )
    line = json.loads(os.read(reader, 4096))
    os.close(reader)
    os.close(writer)
    assert secret not in line["path"] + line["request_id"]
    assert line["path"] == "/a/***/b"


def test_a_long_request_id_that_is_no_credential_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(around, "log_writer", LogWriter(writer))
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    around.write_request_line(traceparent, "GET", "/", 404, time.perf_counter(), "127.0.0.1", None)
    assert json.loads(os.read(reader, 4096))["request_id"] == traceparent
    os.close(reader)
    os.close(writer)
