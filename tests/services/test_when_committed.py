"""What is to happen right after a commit happens then, and never without one."""

import pytest
from flask import Flask

from ragauth import transaction
from ragauth.errors import Conflict, InvalidCode, RagauthError


@pytest.fixture
def calls() -> list[str]:
    return []


def test_it_is_called_after_the_commit_and_once(app: Flask, calls: list[str]) -> None:
    with app.app_context():
        with transaction.unit_of_work():
            transaction.when_committed(lambda: calls.append("done"))
            assert calls == []
        assert calls == ["done"]
        with transaction.unit_of_work():
            pass
    assert calls == ["done"]


def fail(error: type[RagauthError], calls: list[str]) -> None:
    with transaction.unit_of_work():
        transaction.when_committed(lambda: calls.append("done"))
        raise error


def test_what_was_not_committed_calls_nothing(app: Flask, calls: list[str]) -> None:
    with app.app_context():
        with pytest.raises(Conflict):
            fail(Conflict, calls)
        with transaction.unit_of_work():
            pass
    assert calls == []


def test_a_failure_that_keeps_its_changes_calls_it(app: Flask, calls: list[str]) -> None:
    with app.app_context(), pytest.raises(InvalidCode):
        fail(InvalidCode, calls)
    assert calls == ["done"]
