"""Whether any process accepts a key after the answer to its revocation."""

import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from bench.client import Caller
from bench.figures import Figure, Report
from bench.population import Installation
from bench.setting import Setting, serve

_WORKERS = 3
_CLIENTS = 6
_TRIES_PER_KEY = 100
_ACCEPTED_BEFORE = 30
_TRIES = 6_000
_TRIES_QUICKLY = 1_000
_KEY_SECONDS = 60
_NONE = -1


@dataclass(frozen=True, slots=True)
class Shared:
    """What the clients' processes and this one tell each other; keys go by their place."""

    asked: "Synchronized[int]"
    dead: "Synchronized[int]"
    accepted_alive: "Synchronized[int]"
    tries: "Synchronized[int]"
    accepted_dead: "Synchronized[int]"


def measure(setting: Setting, report: Report) -> None:
    """Kill key after key under load, on both databases."""
    wanted = _TRIES_QUICKLY if setting.is_quick else _TRIES
    app = "bench.stale_app:app" if setting.breaks_revocation else "wsgi:app"
    installations = {
        "SQLite": setting.sqlite("revocation", 10_000),
        "Postgres": setting.on_postgres("revocation_postgres", 10_000),
    }
    tries = accepted = 0
    for name, installation in installations.items():
        with serve(installation.environment, app=app, workers=_WORKERS) as server:
            found = _kill_keys(server.url, installation, wanted)
        tries += found.tries.value
        accepted += found.accepted_dead.value
        report.notes.append(
            f"revocation on {name}: {found.tries.value:,} tries of dead keys by {_CLIENTS} client"
            f" processes at {_WORKERS} workers, {found.accepted_dead.value:,} accepted"
        )
    report.figures.append(
        Figure(f"accepts of a dead key, of {tries:,} tries", accepted, unit="", at_most=0)
    )


def _kill_keys(url: str, installation: Installation, wanted: int) -> Shared:
    keys = installation.sample(wanted // _TRIES_PER_KEY)
    spawn = multiprocessing.get_context("spawn")
    shared = Shared(
        asked=spawn.Value("q", 0),
        dead=spawn.Value("q", _NONE),
        accepted_alive=spawn.Value("q", 0),
        tries=spawn.Value("q", 0),
        accepted_dead=spawn.Value("q", 0),
    )
    arguments = (url, keys, shared)
    clients = [spawn.Process(target=_present, args=arguments, daemon=True) for _ in range(_CLIENTS)]
    for client in clients:
        client.start()
    killer = Caller(url)
    try:
        for place, key in enumerate(keys):
            shared.accepted_alive.value = 0
            shared.asked.value = place
            _wait_for(shared.accepted_alive, _ACCEPTED_BEFORE, clients)
            status, content = killer.ask("POST", "/api/v1/keys/revoke", body={"key": key})
            if status != 204:
                raise RuntimeError(f"revoke answered {status}: {content!r}")
            shared.dead.value = place
            _wait_for(shared.tries, (place + 1) * _TRIES_PER_KEY, clients)
    finally:
        killer.close()
        shared.asked.value = _NONE
        for client in clients:
            client.join(10)
            client.kill()
    return shared


def _present(url: str, keys: list[str], shared: Shared) -> None:
    """Present the key of the hour; in a process of its own.

    A try counts as one of a dead key only if the answer to the revocation was there before the
    try began.
    """
    caller = Caller(url)
    while (place := shared.asked.value) != _NONE:
        is_dead = shared.dead.value >= place
        # A new connection each time, so that every worker is asked.
        status, _ = caller.ask("GET", "/api/v1/authorize", credential=keys[place], keep=False)
        if is_dead:
            _add_one(shared.tries)
            if status == 200:
                _add_one(shared.accepted_dead)
        elif status == 200 and shared.asked.value == place:
            _add_one(shared.accepted_alive)
    caller.close()


def _add_one(counter: "Synchronized[int]") -> None:
    with counter.get_lock():
        counter.value += 1


def _wait_for(counter: "Synchronized[int]", value: int, clients: list[Any]) -> None:
    deadline = time.monotonic() + _KEY_SECONDS
    while counter.value < value:
        if not all(client.is_alive() for client in clients):
            raise RuntimeError("a client of the revocation measurement has ended")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{counter.value} of {value} tries in {_KEY_SECONDS} s")
        time.sleep(0.002)
