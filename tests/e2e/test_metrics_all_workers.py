"""`/metrics` is one for all workers, and goes on counting when one of them is killed."""

import os
import signal
import time
from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service, at_once

_SECONDS = 30


def _scrape(service: Service) -> dict[str, float]:
    """Counters of the check, by status; and how many workers there are."""
    response = service.client.get("/metrics")
    assert response.status_code == 200
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            if sample.name == "ragauth_workers" or sample.name.startswith("process_"):
                found[sample.name] = sample.value
            if sample.name == "ragauth_check_duration_seconds_count":
                found[sample.labels["verdict"]] = sample.value
            if (
                sample.name == "ragauth_requests_total"
                and sample.labels["route"] == "/api/v1/authorize"
            ):
                found[sample.labels["status"]] = sample.value
    return found


def _answers_by_worker(service: Service) -> Counter[int]:
    return Counter(
        line["pid"] for line in service.request_lines() if line["path"] == "/api/v1/authorize"
    )


def _check(service: Service, key: str, times: int) -> None:
    assert at_once([lambda: service.authorize(key) for _ in range(times)]) == [200] * times


def test_every_scrape_tells_of_all_workers_and_nothing_is_lost_by_a_sigkill(
    new_installation: NewInstallation,
) -> None:
    """S34: what a killed worker counted stays counted, and its successor goes on from there."""
    installation = new_installation("sqlite")
    with installation.serve(workers=2) as service, installation.serve(workers=1) as other:
        user = service.sign_up(plan="scale")
        asked = 0
        while len(_answers_by_worker(service)) < 2 or asked < 60:
            _check(service, user.api_key, 20)
            asked += 20
            assert asked < 4_000, "one worker answers everything"
        # Whichever worker answers the scrape.
        scrapes = [_scrape(service) for _ in range(6)]
        assert [scrape["allowed"] for scrape in scrapes] == [asked] * 6
        assert [scrape["200"] for scrape in scrapes] == [asked] * 6
        assert {scrape["ragauth_workers"] for scrape in scrapes} == {2}
        # Two services on one machine, even over one instance folder, do not mix.
        assert "200" not in _scrape(other)
        assert _scrape(other)["ragauth_workers"] == 1

        cpu_before = scrapes[-1]["process_cpu_seconds_total"]
        for _ in range(2):
            known = set(service.gunicorn.worker_pids())
            os.kill(min(known), signal.SIGKILL)
            deadline = time.monotonic() + _SECONDS
            while len(set(service.gunicorn.worker_pids()) - {min(known)}) < 2:
                assert time.monotonic() < deadline, "the master starts no other worker"
                time.sleep(0.02)
            service.gunicorn.wait_until_ready(2)
            assert _scrape(service)["allowed"] == asked
            _check(service, user.api_key, 20)
            asked += 20
            after = _scrape(service)
            assert (after["allowed"], after["200"]) == (asked, asked)
            assert after["process_cpu_seconds_total"] > cpu_before
            assert after["ragauth_workers"] == 2
