"""The request line, written past `logging`."""

import os
import time

import pytest

from ragauth.web import request_log


def test_a_log_that_nobody_reads_any_more_costs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(request_log, "_STANDARD_ERROR", writer)
    arguments = ("id", "GET", "/healthz", 200, time.perf_counter(), "127.0.0.1", None)
    request_log.write_request_line(*arguments)
    assert b'"path": "/healthz"' in os.read(reader, 4096)
    os.close(reader)
    request_log.write_request_line(*arguments)
    os.close(writer)
