"""Changes of one key, or of a key and its agent, that meet."""

from typing import Any

import httpx
import pytest

from tests.e2e.service import Service, User, at_once

_CONTESTANTS = 20


@pytest.fixture
def user(service: Service) -> User:
    """Someone else in each test: a race uses up much of what an account may change in a minute."""
    return service.sign_up(plan="scale")


class TestRegenerate:
    def test_of_twenty_at_once_all_answer_and_one_key_stays_alive(
        self, service: Service, user: User
    ) -> None:
        old_key = user.data("POST", "/api/auth/api-key/regenerate")["api_key"]
        answers = at_once(
            [lambda: user.request("POST", "/api/auth/api-key/regenerate")] * _CONTESTANTS
        )
        assert [answer.status_code for answer in answers] == [200] * _CONTESTANTS
        raw_keys = {answer.json()["data"]["api_key"] for answer in answers}
        assert len(raw_keys) == _CONTESTANTS
        accepted = [key for key in [old_key, *raw_keys] if service.authorize(key) == 200]
        assert len(accepted) == 1
        keys = user.data("GET", "/api/auth/api-keys?limit=100")
        (primary,) = [key for key in keys if key["is_primary"]]
        assert accepted[0].startswith(primary["prefix"])


class TestRotate:
    def test_of_twenty_with_a_grace_one_replaces_the_key_and_the_others_conflict(
        self, service: Service, user: User
    ) -> None:
        key_id, raw_key = user.create_key(name="rotated with a grace")
        answers = _rotate_at_once(user, key_id, grace_seconds=60)
        assert _statuses(answers) == [201] + [409] * (_CONTESTANTS - 1)
        assert {_code(answer) for answer in answers if answer.status_code == 409} == {"CONFLICT"}
        successor = next(answer for answer in answers if answer.status_code == 201).json()["data"]
        assert service.authorize(raw_key) == 200
        assert service.authorize(successor["api_key"]) == 200
        assert _names(user).count("rotated with a grace") == 2

    def test_of_twenty_without_a_grace_one_replaces_the_key(
        self, service: Service, user: User
    ) -> None:
        key_id, raw_key = user.create_key(name="rotated at once")
        answers = _rotate_at_once(user, key_id, grace_seconds=0)
        assert _statuses(answers)[0] == 201
        assert set(_statuses(answers)[1:]) <= {404, 409}
        successor = next(answer for answer in answers if answer.status_code == 201).json()["data"]
        assert service.authorize(raw_key) == 401
        assert service.authorize(successor["api_key"]) == 200
        assert _names(user).count("rotated at once") == 1


def _rotate_at_once(user: User, key_id: str, *, grace_seconds: int) -> list[httpx.Response]:
    return at_once(
        [
            lambda: user.request(
                "POST",
                f"/api/auth/api-keys/{key_id}/rotate",
                json={"grace_seconds": grace_seconds},
            )
        ]
        * _CONTESTANTS
    )


def _statuses(answers: list[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def _code(answer: httpx.Response) -> str:
    code: str = answer.json()["error"]["code"]
    return code


def _names(user: User) -> list[str]:
    return [key["name"] for key in user.data("GET", "/api/auth/api-keys?limit=100")]


class TestAgents:
    @pytest.mark.parametrize("path", ["/api/auth/api-keys", "/api/agents/{}/api-keys"])
    def test_a_key_made_while_its_agent_is_deleted_does_not_outlive_it(
        self, service: Service, user: User, path: str
    ) -> None:
        agent_id = user.data("POST", "/api/agents", json={"name": "doomed"})["id"]
        fields: dict[str, Any] = {"name": "bound"}
        if path == "/api/auth/api-keys":
            fields["agent_id"] = agent_id

        def create_keys() -> list[httpx.Response]:
            return [user.request("POST", path.format(agent_id), json=fields) for _ in range(4)]

        def delete_agent() -> list[httpx.Response]:
            # Keys are there to be killed when it comes.
            first = user.request("POST", path.format(agent_id), json=fields)
            return [first, user.request("DELETE", f"/api/agents/{agent_id}")]

        *answers, (first, deleted) = at_once([create_keys] * 4 + [delete_agent])
        assert first.status_code == 201
        assert deleted.status_code == 204
        created = [first, *(answer for several in answers for answer in several)]
        assert {answer.status_code for answer in created} <= {201, 404}
        for answer in created:
            if answer.status_code == 201:
                assert service.authorize(answer.json()["data"]["api_key"]) == 401
        assert "bound" not in _names(user)
