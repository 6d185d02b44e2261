"""The application with every face, on the same database as `app`."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from tests.applications import make_testing_app
from tests.clients import Client
from tests.ready_members import READY_MEMBERS
from tests.runtime import runtime_of


@pytest.fixture(scope="session")
def apps_with_faces() -> Iterator[dict[str, Flask]]:
    """One for each database, made when it is first asked for."""
    made: dict[str, Flask] = {}
    yield made
    for app in made.values():
        runtime_of(app).close()


@pytest.fixture
def app_with_faces(
    app: Flask,
    database: str,
    apps_with_faces: dict[str, Flask],
    tmp_path_factory: pytest.TempPathFactory,
) -> Flask:
    if database not in apps_with_faces:
        apps_with_faces[database] = make_testing_app(
            replace(
                runtime_of(app).settings,
                instance_dir=tmp_path_factory.mktemp("faces"),
                compat=("ragchats", "rst", "unkey"),
            )
        )
        apps_with_faces[database].config[READY_MEMBERS] = True
    faces = apps_with_faces[database]
    # The tables have been emptied: the keys that it knows are none any more.
    runtime_of(faces).signing_ring.forget()
    return faces


@pytest.fixture
def faces(app_with_faces: Flask) -> Client:
    """A client without a credential, of an application with every face."""
    return Client(app_with_faces)
