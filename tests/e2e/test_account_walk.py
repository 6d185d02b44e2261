"""An account's whole life over HTTP, behind a real gunicorn.

What each step guarantees in detail is tested in process, on each database; here all of them hold
together.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import PASSWORD, Service, User
from tests.factories.mails import Mail, read_mail
from tests.factories.second_factors import Authenticator

NEW_PASSWORD = "a heron in the shallows"
_MAIL_SECONDS = 20


@pytest.fixture(scope="module")
def service(new_installation: NewInstallation) -> Iterator[Service]:
    """Throttled as by default, with a dashboard for the links in mails."""
    installation = new_installation("postgres")
    limits = {
        "RAGAUTH_LOGIN_FAILURES_PER_ACCOUNT": "3",
        "RAGAUTH_DASHBOARD_URL": "https://app.test",
    }
    with installation.serve(**limits) as running:
        yield running


@pytest.fixture
def user(service: Service) -> User:
    return service.sign_up()


def log_in(user: User, password: str = PASSWORD) -> httpx.Response:
    return user.service.insist("/api/auth/login", {"email": user.email, "password": password})


def post(user: User, path: str, **body: Any) -> httpx.Response:
    """With the access token, and again where no place to hash was free."""
    return user.service.insist(f"/api/auth{path}", body, user.token)


def status_of(user: User, token: str) -> int:
    return user.service.get("/api/auth/me", token)


def wait_for_mail(service: Service, subject: str, to: str) -> Mail:
    """The mail that the service writes by itself, in the background."""
    folder = Path(service.installation.environment["RAGAUTH_INSTANCE_DIR"]) / "outbox"
    deadline = time.monotonic() + _MAIL_SECONDS
    while time.monotonic() < deadline:
        for path in sorted(folder.glob("*.eml")):
            mail = read_mail(path.read_bytes())
            if (mail.subject, mail.to) == (subject, to):
                path.unlink()
                return mail
        time.sleep(0.05)
    raise AssertionError(f"no mail {subject!r} to {to}")


def test_a_password_is_changed_forgotten_and_reset(service: Service, user: User) -> None:
    other = user.log_in()["token"]
    assert post(user, "/password/change", current_password="x", new_password="y").status_code == 400
    wrong = post(user, "/password/change", current_password="x", new_password=NEW_PASSWORD)
    assert wrong.status_code == 401
    changed = post(user, "/password/change", current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert changed.status_code == 204
    assert [status_of(user, token) for token in (user.token, other)] == [200, 401]
    assert [log_in(user, password).status_code for password in (PASSWORD, NEW_PASSWORD)] == [
        401,
        200,
    ]
    answers = [
        service.client.post("/api/auth/password/forgot", json={"email": email})
        for email in (user.email, "nobody-of-ours@example.com")
    ]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (202, {"data": {"accepted": True}})
    ] * 2
    token = wait_for_mail(service, "Set a new password", user.email).token
    reset = {"token": token, "new_password": "an osprey over the lake"}
    statuses = [service.insist("/api/auth/password/reset", reset).status_code for _ in range(2)]
    assert statuses == [204, 401]
    assert status_of(user, user.token) == 401
    assert log_in(user, "an osprey over the lake").status_code == 200


def test_an_address_is_confirmed_and_changed(service: Service, user: User) -> None:
    def verify(token: str) -> int:
        return service.client.post("/api/auth/email/verify", json={"token": token}).status_code

    first = wait_for_mail(service, "Confirm your email address", user.email)
    assert user.data("GET", "/api/auth/me")["email_verified"] is False
    assert [verify(first.token) for _ in range(2)] == [204, 401]
    assert user.data("GET", "/api/auth/me")["email_verified"] is True
    new_email = f"new-{user.email}"
    assert post(user, "/email/change", new_email=new_email, password=PASSWORD).status_code == 202
    asked = wait_for_mail(service, "Confirm your new email address", new_email)
    assert user.data("GET", "/api/auth/me")["email"] == user.email
    assert verify(asked.token) == 204
    assert user.data("GET", "/api/auth/me")["email"] == new_email
    assert post(user, "/email/resend").status_code == 202


def test_wrong_passwords_are_throttled_in_all_workers(service: Service, user: User) -> None:
    """S9: three are tried, whichever worker is asked, and the session goes on."""
    assert [log_in(user, "wrong").status_code for _ in range(3)] == [401] * 3
    refused = service.client.post(
        "/api/auth/login", json={"email": user.email, "password": PASSWORD}
    )
    assert refused.status_code == 429
    assert refused.json()["error"]["details"]["limit"] == "login_failures_per_account"
    assert 1 <= int(refused.headers["Retry-After"]) <= 300
    assert status_of(user, user.token) == 200


def test_a_second_factor_is_enrolled_asked_for_and_removed(service: Service, user: User) -> None:
    pending = post(user, "/second-factor", password=PASSWORD).json()["data"]
    assert pending["provisioning_uri"].startswith("otpauth://totp/")
    assert pending["qr_svg"].startswith("<svg")
    phone = Authenticator(pending["secret"], [])
    confirmed = post(user, "/second-factor/confirm", code=phone.code()).json()["data"]
    assert len(confirmed["recovery_codes"]) == 10
    step = log_in(user).json()["data"]
    assert set(step) == {"mfa_token", "expires_in"}
    # A code of the next step: whatever time passes, it is not too old, and later than the first.
    code = phone.code(1)
    second = {"mfa_token": step["mfa_token"], "code": code}
    assert service.insist("/api/auth/login/mfa", second).status_code == 200
    replay = {"mfa_token": log_in(user).json()["data"]["mfa_token"], "code": code}
    assert service.insist("/api/auth/login/mfa", replay).status_code == 401
    recovery = {**replay, "code": confirmed["recovery_codes"][0]}
    assert service.insist("/api/auth/login/mfa", recovery).status_code == 200
    shown = user.data("GET", "/api/auth/second-factor")
    assert (shown["enabled"], shown["recovery_codes_left"]) == (True, 9)
    removed = post(
        user, "/second-factor/delete", password=PASSWORD, code=confirmed["recovery_codes"][1]
    )
    assert removed.status_code == 204
    assert "token" in log_in(user).json()["data"]


def test_sessions_events_limits_and_export(service: Service, user: User) -> None:
    others = [user.log_in() for _ in range(2)]
    sessions = user.data("GET", "/api/auth/sessions")
    assert [session["current"] for session in sessions] == [False, False, True]
    path = f"/api/auth/sessions/{sessions[0]['id']}"
    assert [user.request("DELETE", path).status_code for _ in range(2)] == [204, 404]
    assert user.request("DELETE", "/api/auth/sessions").status_code == 204
    assert [status_of(user, other["token"]) for other in others] == [401, 401]
    names = [event["name"] for event in user.data("GET", "/api/auth/events")]
    assert {"account:created", "account:login_succeeded", "session:ended"} <= set(names)
    assert user.data("GET", "/api/auth/limits")["plan"] == "trial"
    assert service.authorize(user.api_key) == 200
    export = user.data("GET", "/api/auth/export")
    assert export["account"]["email"] == user.email
    assert len(export["api_keys"]) == 1
    assert user.api_key not in str(export)
    lines = service.installation.command("events", "export", "--account", user.account_id)
    assert len(lines.splitlines()) == len(user.data("GET", "/api/auth/events?limit=100"))
    assert post(user, "/me/delete", password=PASSWORD).status_code == 204
    assert status_of(user, user.token) == 401
    assert service.authorize(user.api_key) == 401
    assert user.email not in service.installation.command(
        "events", "export", "--account", user.account_id
    )


def test_tokens_can_be_verified_by_the_published_keys_and_an_operator_ends_them(
    service: Service, user: User
) -> None:
    answer = service.client.get("/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    token = jwt.decode(user.token, KeySet.import_key_set(answer.json()), algorithms=["ES256"])
    assert token.claims["sub"] == user.account_id
    service.installation.command("accounts", "end-sessions", user.account_id, "--yes")
    assert status_of(user, user.token) == 401
