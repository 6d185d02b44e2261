"""`/metrics`: the counts of all workers and the service's vital signs, for Prometheus."""

import platform
from collections.abc import Iterator

from prometheus_client import exposition
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics

from ragauth.metrics import FAMILIES, Counter, Gauge, Histogram, board
from ragauth.metrics.processes import consumption
from ragauth.services.operators.vital_signs import VitalSigns
from ragauth.version import VERSION


def render(signs: VitalSigns, *, accept: str) -> tuple[bytes, str]:
    """The page and its media type: OpenMetrics if `accept` has it, else text format 0.0.4."""
    page = _Page(signs)
    if "application/openmetrics-text" in accept:
        text: bytes = openmetrics.generate_latest(page)  # type: ignore[no-untyped-call]
        return text, openmetrics.CONTENT_TYPE_LATEST
    return exposition.generate_latest(page), exposition.CONTENT_TYPE_PLAIN_0_0_4


class _Page:
    """What prometheus-client takes for a registry."""

    def __init__(self, signs: VitalSigns) -> None:
        self._signs = signs

    def collect(self) -> Iterator[Metric]:
        sums, pids, beside = board.sums(), board.pids(), board.pids_beside()
        for family in FAMILIES:
            yield _metric(family, sums)
        yield _gauge("ragauth_workers", "Living worker processes", len(pids) or 1)
        yield _gauge(
            "ragauth_processes_beside",
            "Living processes beside the workers: 1 with ragauth's own server, else 0",
            len(beside),
        )
        yield from _vital_signs(self._signs, len(pids) or 1)
        yield from _process([*pids, *beside])
        build = GaugeMetricFamily(
            "ragauth_build_info", "What is running, always 1", labels=("version", "python")
        )
        build.add_metric((VERSION, platform.python_version()), 1)
        yield build


def _metric(family: Counter | Gauge | Histogram, sums: list[float]) -> Metric:
    if isinstance(family, Gauge):
        gauge = GaugeMetricFamily(family.name, family.text, labels=family.labels)
        for labels, value in family.read(sums):
            gauge.add_metric(labels, value)
        return gauge
    if isinstance(family, Counter):
        counter = CounterMetricFamily(family.name, family.text, labels=family.labels)
        for labels, value in family.read(sums):
            counter.add_metric(labels, value)
        return counter
    histogram = HistogramMetricFamily(family.name, family.text, labels=family.labels)
    for labels, buckets, total in family.read(sums):
        histogram.add_metric(labels, buckets, sum_value=total)
    return histogram


def _vital_signs(signs: VitalSigns, workers: int) -> Iterator[Metric]:
    yield _gauge("ragauth_database_up", "Whether the database answers", signs.database_is_up)
    yield _gauge(
        "ragauth_database_writable",
        "Whether the database takes what is written",
        signs.database_is_writable,
    )
    yield _gauge("ragauth_counters_up", "Whether the counters answer", signs.counters_are_up)
    if signs.redis_is_up is not None:
        yield _gauge("ragauth_redis_up", "Whether Redis answers", signs.redis_is_up)
    yield _gauge(
        "ragauth_hashing_places",
        "Passwords that can be hashed or wait at once, in all workers",
        signs.hashing_places * workers,
    )
    if signs.mail is not None:
        yield _gauge("ragauth_outbox_mails", "Mails that wait to be sent", signs.mail.mails)
        yield _gauge(
            "ragauth_outbox_oldest_seconds",
            "How long the oldest of them has waited",
            signs.mail.oldest_seconds,
        )


def _process(pids: list[int]) -> Iterator[Metric]:
    taken = consumption(pids)
    if taken is None:
        return
    cpu = CounterMetricFamily("process_cpu_seconds", "Processor time of master and workers")
    cpu.add_metric((), taken.cpu_seconds)
    yield cpu
    yield _gauge(
        "process_resident_memory_bytes",
        "Memory of master and workers; what they share is counted once (PSS)",
        taken.memory_bytes,
    )
    yield _gauge("process_open_fds", "Open files of master and workers", taken.open_files)
    yield _gauge("process_start_time_seconds", "When the service started", taken.started_at)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
