"""examples/quickstart.sh against a real service, and against one that is wrong."""

import re

from tests.examples.walks import assert_went_to_its_end, run_walk
from tests.servers.gunicorn import GunicornServer


def test_it_walks_through_to_the_end_and_prints_no_secret(ragauth: GunicornServer) -> None:
    """S27"""
    walk = run_walk("quickstart", RAGAUTH_URL=ragauth.url)
    assert_went_to_its_end(walk, "quickstart")


def test_it_stops_at_the_first_surprise_and_makes_another_account_each_time(
    ragauth: GunicornServer,
) -> None:
    walks = [run_walk("quickstart", RAGAUTH_URL=f"{ragauth.url}/elsewhere") for _ in range(2)]
    for walk in walks:
        assert walk.returncode == 1
        assert "quickstart stopped: POST /api/auth/signup answered 404, expected 201" in walk.stderr
        assert "Log in" not in walk.stdout
    # It can be walked again and again: all that it makes is of this account.
    emails = {re.findall(r'"email": "(.+?)"', walk.stdout)[0] for walk in walks}
    assert len(emails) == 2


def test_it_says_when_nothing_answers(port_of_nobody: int) -> None:
    port = str(port_of_nobody)
    url = f"http://127.0.0.1:{port}"
    for where in ({"RAGAUTH_URL": url}, {"PORT": port}):
        walk = run_walk("quickstart", **where)
        assert walk.returncode == 3
        assert f"quickstart stopped: {url} does not answer" in walk.stderr
