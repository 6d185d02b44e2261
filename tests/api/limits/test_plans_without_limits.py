"""A plan that lacks the limit of a minute, of a month, or both: then nothing is limited there."""

from collections.abc import Callable

from flask import Flask

from ragauth.policy import read_policy
from tests.cases import for_each
from tests.clients import Client, Member, ok

PLAN = "[plans.trial]\nmax_keys = 5\nmax_agents = 2\n"


@for_each(
    ("limits", "minute", "month", "told"),
    [
        ("", None, None, None),
        ("limits.requests.minute = 9", 9, None, '"minute";r=8;t=60'),
        ("limits.requests.month = 9", None, 9, '"month";r=8;t='),
    ],
)
def test_what_is_not_limited_is_null_and_not_in_the_headers(
    make_app: Callable[..., Flask], limits: str, minute: int | None, month: int | None, told: str
) -> None:
    member: Member = Client(make_app(policy=read_policy((PLAN + limits).encode()))).sign_up()
    checked = Client(member.client.app).as_key(member.api_key).get("/api/v1/authorize")
    assert checked.status_code == 200
    if told is None:
        assert "RateLimit" not in checked.headers
        assert "RateLimit-Policy" not in checked.headers
    else:
        assert checked.headers["RateLimit"].startswith(told)
        assert "," not in checked.headers["RateLimit"] + checked.headers["RateLimit-Policy"]
    limits_of_account = ok(member.client.get("/api/auth/limits"))
    assert limits_of_account["requests_per_minute"] == minute
    assert limits_of_account["requests_per_month"] == month
    assert limits_of_account["usage"]["live"]["remaining"] == (month and month - 1)
    holder = ok(Client(member.client.app).as_key(member.api_key).get("/api/v1/me"))
    assert holder["limits"] == {"requests_per_minute": minute, "requests_per_month": month}
    assert holder["usage"]["this_month"] == 1
