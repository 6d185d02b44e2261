"""docs/adding-a-face.md: its example is a face, and nothing but its folder and name is needed."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from ragauth.blueprints import compat
from tests.clients import PASSWORD, Client
from tests.openapi import assert_valid
from tests.servers.gunicorn import PROJECT_ROOT

_FILE = re.compile(r"^```python (acme/\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder_of_acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    guide = (PROJECT_ROOT / "docs" / "adding-a-face.md").read_text(encoding="utf-8")
    files = _FILE.findall(guide)
    assert len(files) == 5
    for name, text in files:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(compat, "__path__", [*compat.__path__, str(tmp_path)])
    return


@pytest.mark.usefixtures("folder_of_acme")
def test_the_guides_example_works_as_a_fourth_vendor(make_app: Callable[..., Flask]) -> None:
    client = Client(make_app(compat=("rst", "acme")))
    member = client.sign_up()
    path = "/compat/acme/auth/login"
    response = client.post(path, {"login": member.email, "secret": PASSWORD})
    assert set(response.get_json()["result"]) == {"jwt", "who"}
    response = client.post(path, {"login": member.email, "secret": "wrong password"})
    assert (response.status_code, response.get_json()) == (
        401,
        {"problem": "Invalid email or password"},
    )
    assert client.get("/compat/acme/unknown").get_json() == {"problem": "There is no such route"}
    document = client.get("/compat/acme/openapi.json").get_json()
    assert_valid(document)
    assert list(document["paths"]) == [path]
