"""How the tests are run: on which databases, by which process, and what they find.

A test that takes `app` or `client` finds empty tables of SQLite. Where what it tests may differ on
Postgres (queries, order, locks, races, migrations) it is marked `both_databases`; one test or more
of each way in which the service uses its database is marked `every_database`, which is a pooler
besides.
"""

import gc
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.processes import keep_ignored_signals_to_oneself

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.schedule import Rooms

_TESTS = Path(__file__).parent
# Which databases a test asks for by its mark, by its class's or its module's; the closest wins.
_DATABASES = {
    "both_databases": ("sqlite", "postgres"),
    "every_database": ("sqlite", "postgres", "pooled"),
}


def pytest_configure(config: pytest.Config) -> None:
    runs_tests = not config.getoption("numprocesses", None)
    if runs_tests:
        # Its children must ignore the signals that it ignores.
        keep_ignored_signals_to_oneself()
        # What is loaded and collected lives until the end: looking through it frees nothing.
        gc.disable()
    # A process that hands the tests to others starts no servers and needs nothing that they share.
    # But where coverage is measured it loads the package too: in the others the measurement begins
    # after that.
    if runs_tests or config.pluginmanager.hasplugin("_cov"):
        config.pluginmanager.import_plugin("tests.fixtures")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """In a process of several that run all tests: load a part of them first, which none else does.

    In a new clone loading means compiling, which takes longer than the rest of the start. So each
    process compiles its part and finds the others compiled.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None or session.config.args != session.config.getini("testpaths"):
        return
    number = int(worker["workerid"].removeprefix("gw"))
    for file in sorted(_TESTS.rglob("test_*.py"))[number :: worker["workercount"]]:
        module = file.relative_to(_TESTS.parent).with_suffix("")
        # One that is left out or cannot be loaded is told of when it is collected.
        with suppress(Exception, pytest.skip.Exception):
            import_module(".".join(module.parts))


def pytest_collection_finish() -> None:
    gc.freeze()
    # Most of what a test makes is gone with it; a cycle may lie for a while.
    gc.set_threshold(50_000, 20, 1_000)
    gc.enable()


def pytest_unconfigure() -> None:
    """Find what was left open, once: pytest and the interpreter would look through all again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "Rooms | None":
    """Whole files go to one process, in an order of our own."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.schedule import Rooms  # noqa: PLC0415 - it needs xdist

    return Rooms(config, log)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `database` once on each of those that it asks for."""
    if "database" in metafunc.fixturenames:
        for mark in metafunc.definition.iter_markers():
            if mark.name in _DATABASES:
                metafunc.parametrize("database", _DATABASES[mark.name], indirect=True)
                return
