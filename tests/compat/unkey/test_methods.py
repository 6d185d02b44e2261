"""Every method of Unkey's official client has a route: what it does, or why it does nothing."""

import inspect
import re
from importlib import import_module
from pkgutil import iter_modules

import unkey.py
from flask import Flask

from ragauth.blueprints.compat.unkey.unmapped import UNMAPPED
from tests.clients import Client
from tests.compat.unkey.test_wording import V2, problem
from tests.factories.api_keys import make_service_key

_PATH = re.compile(r'path="(/v\d/\w+\.\w+)"')


def official_paths() -> set[str]:
    modules = [import_module(f"unkey.py.{one.name}") for one in iter_modules(unkey.py.__path__)]
    return {path for module in modules for path in _PATH.findall(inspect.getsource(module))}


def test_each_method_of_the_client_is_answered(app_with_faces: Flask) -> None:
    paths = official_paths()
    assert len(paths) > 90
    adapter = app_with_faces.url_map.bind("localhost")
    unknown = [path for path in paths if not adapter.test(f"/compat/unkey{path}", method="POST")]
    assert unknown == []
    # What is refused is a method of the client, and no other.
    assert {f"/v2/{method}" for method in UNMAPPED} <= paths


def test_one_without_a_counterpart_says_so_to_a_root_key_alone(faces: Client) -> None:
    root = faces.as_user(make_service_key(faces.app, "verify"))
    for method, why in UNMAPPED.items():
        path = f"{V2}/{method}"
        error = problem(root.post(path, {"any": 1}), 400, "unkey/application/invalid_input")
        assert error["detail"] == why
        assert error["errors"] == [{"location": "body", "message": why}]
        problem(faces.post(path, {}), 401, "unkey/authentication/missing")
