"""`/metrics`: the counts of all workers and the service's vital signs, for Prometheus.

The beginning of each line, with its labels, is rendered once, and the lines of what did not change
are those of the last scrape; prometheus-client would render all of them at each scrape. A test
compares the page with that library's output. Sources: Prometheus' text format 0.0.4, OpenMetrics
1.0.
"""

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.utils import floatToGoString

from ragauth.metrics import FAMILIES, Counter, Gauge, Histogram, board
from ragauth.metrics.processes import consumption
from ragauth.services.operators import vital_signs
from ragauth.services.operators.vital_signs import VitalSigns
from ragauth.version import VERSION

_COUNTER = "counter"
_GAUGE = "gauge"
_HISTOGRAM = "histogram"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
# Enough for all series: each route, method and status, and the buckets of histograms.
_MOST_HEADS = 65_536
_LARGE = 100_000


# The beginning of each line, and its value, always a float.
Lines = Iterable[tuple[str, float]]
# The numbers of a family, or of one series of a histogram, at the last scrape, and their lines.
_last: dict[object, tuple[Sequence[float], str]] = {}


class Family(NamedTuple):
    """A metric and its lines."""

    name: str
    kind: str
    text: str
    lines: str


def render(metrics: Iterable[Family], *, accept: str) -> tuple[bytes, str]:
    """The page and its media type: OpenMetrics if `accept` has it, else text format 0.0.4."""
    is_open = "application/openmetrics-text" in accept
    page: list[str] = []
    for name, kind, text, lines in metrics:
        # In the older format a counter's name in TYPE and HELP has the ending of its series,
        # `_total`.
        shown = f"{name}_total" if kind == _COUNTER and not is_open else name
        page.append(f"# HELP {shown} {text}\n# TYPE {shown} {kind}\n{lines}")
    if is_open:
        page.append("# EOF\n")
        return "".join(page).encode(), openmetrics.CONTENT_TYPE_LATEST
    return "".join(page).encode(), exposition.CONTENT_TYPE_PLAIN_0_0_4


def families() -> list[Family]:
    """All metrics of the page, in order."""
    return list(_families(vital_signs.take()))


def _families(signs: VitalSigns) -> Iterator[Family]:
    sums, pids, beside = board.sums(), board.pids(), board.pids_beside()
    for family in FAMILIES:
        yield _counted(family, sums)
    workers = len(pids) or 1
    yield _gauge("ragauth_workers", "Living worker processes", workers)
    yield _gauge(
        "ragauth_processes_beside",
        "Living processes beside the workers: 1 with ragauth's own server, else 0",
        len(beside),
    )
    yield from _vital_signs(signs, workers)
    yield from _process([*pids, *beside])
    build = _head("ragauth_build_info", ("version", "python"), (VERSION, platform.python_version()))
    yield _family("ragauth_build_info", _GAUGE, "What is running, always 1", build, 1.0)


def _counted(family: Counter | Gauge | Histogram, sums: list[float]) -> Family:
    if isinstance(family, Histogram):
        lines = "".join(
            _lines((family, labels), numbers, partial(_distribution, family, labels, numbers))
            for labels, numbers in family.numbers(sums)
        )
        return Family(family.name, _HISTOGRAM, family.text, lines)
    lines = _lines(family, family.numbers(sums), partial(_samples, family, sums))
    kind = _GAUGE if isinstance(family, Gauge) else _COUNTER
    return Family(family.name, kind, family.text, lines)


def _lines(series: object, numbers: Sequence[float], make: Callable[[], Lines]) -> str:
    """The lines of these series: those of the last scrape if the numbers are the same."""
    known = _last.get(series)
    if known is None or known[0] != numbers:
        known = _last[series] = numbers, _written(make())
    return known[1]


def _written(lines: Lines) -> str:
    return "".join(
        # Large numbers have Go's form, which differs from Python's.
        f"{head} {value!r}\n" if value < _LARGE else f"{head} {floatToGoString(value)}\n"  # type: ignore[no-untyped-call]
        for head, value in lines
    )


def _samples(family: Counter | Gauge, sums: list[float]) -> Lines:
    series = family.name if isinstance(family, Gauge) else f"{family.name}_total"
    labels = tuple(family.labels)
    return [(_head(series, labels, values), value) for values, value in family.read(sums)]


def _distribution(family: Histogram, values: tuple[str, ...], numbers: list[float]) -> Lines:
    _, bounds, counts, total = family.distribution(values, numbers)
    heads = _heads_of_distribution(family.name, tuple(family.labels), values, bounds)
    return zip(heads, (*counts, counts[-1], total), strict=True)


@lru_cache(maxsize=_MOST_HEADS)
def _heads_of_distribution(
    name: str, labels: tuple[str, ...], values: tuple[str, ...], bounds: tuple[str, ...]
) -> list[str]:
    """The beginnings of the lines of its buckets, of the number of observations, and of the sum."""
    buckets = [_head(f"{name}_bucket", (*labels, "le"), (*values, bound)) for bound in bounds]
    return [*buckets, *(_head(f"{name}_{part}", labels, values) for part in ("count", "sum"))]


@lru_cache(maxsize=_MOST_HEADS)
def _head(name: str, labels: tuple[str, ...], values: tuple[str, ...]) -> str:
    """The beginning of a series' line; labels are sorted by name."""
    pairs = sorted(zip(labels, values, strict=True))
    inner = ",".join(f'{label}="{value.translate(_ESCAPES)}"' for label, value in pairs)
    return f"{name}{{{inner}}}" if inner else name


def _vital_signs(signs: VitalSigns, workers: int) -> Iterator[Family]:
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
    if signs.outbox is not None:
        mail, webhooks = signs.outbox
        yield _gauge("ragauth_outbox_mails", "Mails that wait to be sent", mail.rows)
        yield _gauge(
            "ragauth_outbox_oldest_seconds",
            "How long the oldest of them has waited",
            mail.oldest_seconds,
        )
        yield _gauge(
            "ragauth_outbox_webhooks", "Messages that wait to be sent to webhooks", webhooks.rows
        )
        yield _gauge(
            "ragauth_outbox_webhooks_oldest_seconds",
            "How long the oldest of them has waited",
            webhooks.oldest_seconds,
        )


def _process(pids: list[int]) -> Iterator[Family]:
    taken = consumption(pids)
    if taken is None:
        return
    yield _family(
        "process_cpu_seconds",
        _COUNTER,
        "Processor time of master and workers",
        "process_cpu_seconds_total",
        taken.cpu_seconds,
    )
    yield _gauge(
        "process_resident_memory_bytes",
        "Memory of master and workers; what they share is counted once (PSS)",
        taken.memory_bytes,
    )
    yield _gauge("process_open_fds", "Open files of master and workers", taken.open_files)
    yield _gauge("process_start_time_seconds", "When the service started", taken.started_at)


def _gauge(name: str, text: str, value: float) -> Family:
    return _family(name, _GAUGE, text, name, float(value))


def _family(name: str, kind: str, text: str, head: str, value: float) -> Family:
    """A family of one line."""
    return Family(name, kind, text, _written([(head, value)]))
