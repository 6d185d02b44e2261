"""S16: a rotation under traffic, on two hosts."""

import time
from contextlib import ExitStack

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service, at_once
from tests.factories.signing_keys import kid_of
from tests.waiting import slowness

_PROMISED_SECONDS = 1
_DEADLINE_SECONDS = 30
_TRIES = 12
# Between two rounds of questions to both hosts.
_PAUSE_SECONDS = 0.2


def _is_good(host: Service, token: str) -> bool:
    status = host.get("/api/auth/me", token)
    assert status in (200, 401)
    return status == 200


def test_every_worker_of_every_host_learns_of_new_and_retired_keys_without_a_restart(
    new_installation: NewInstallation,
) -> None:
    installation = new_installation("postgres")
    servers = [installation.serve(workers=workers) for workers in (2, 1)]
    with ExitStack() as stack:
        hosts = at_once([server.__enter__ for server in servers])
        for server in servers:
            stack.push(server)
        user = hosts[0].sign_up()
        first = kid_of(user.token)
        installation.command("signing-keys", "rotate", "--sign-after", "2")
        pair = {"token": user.token, "refresh_token": user.refresh_token}
        deadline = time.monotonic() + _DEADLINE_SECONDS
        refreshes = 0
        while kid_of(pair["token"]) == first or refreshes % 4:
            assert time.monotonic() < deadline
            time.sleep(_PAUSE_SECONDS)
            refreshes += 1
            body = {"refresh_token": pair["refresh_token"]}
            answer = hosts[refreshes % 2].client.post("/api/auth/token/refresh", json=body)
            assert answer.status_code == 200, answer.text
            pair = answer.json()["data"]
            for host in hosts:
                assert _is_good(host, pair["token"])
                assert _is_good(host, user.token)
        installation.command("signing-keys", "retire", "--yes", first, "--force")
        retired_at = time.monotonic()
        checks = 0
        while checks < _TRIES:
            assert time.monotonic() < deadline
            time.sleep(_PAUSE_SECONDS)
            asked_at = time.monotonic()
            for host in hosts:
                is_good = _is_good(host, user.token)
                if asked_at - retired_at > _PROMISED_SECONDS * slowness():
                    checks += 1
                    assert not is_good
                assert _is_good(host, pair["token"])
