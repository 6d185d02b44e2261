"""An owner is told of a limit by itself and once, also where two hosts count and save together."""

import json
from pathlib import Path

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Installation, Service, User, at_once
from tests.factories.mails import Mail, read_mail
from tests.servers.redis import start_redis
from tests.servers.smtp import SmtpServer, start_smtp
from tests.waiting import wait_until

READERS_OF_EACH = 3


def mails_to(smtp: SmtpServer, user: User) -> list[Mail]:
    return [
        read_mail(delivery.content)
        for delivery in smtp.deliveries
        if delivery.recipients == [user.email]
    ]


def told(installation: Installation) -> list[str]:
    """The names of the events about limits, oldest first."""
    lines = installation.command("events", "export").splitlines()
    names = [json.loads(line)["name"] for line in lines]
    return [name for name in names if name.startswith("limit:")]


def test_of_two_hosts_one_tells(new_installation: NewInstallation, tmp_path: Path) -> None:
    """Both save at the same moment, as their readers ask; and once more when they end."""
    installation = new_installation("postgres")
    folder = tmp_path / "other"
    folder.mkdir()
    with start_redis() as redis, start_smtp(tmp_path) as smtp:
        settings = {"RAGAUTH_REDIS_URL": redis.url, "RAGAUTH_MAIL_URL": smtp.url}
        with (
            installation.serve(workers=1, **settings) as one,
            installation.serve(workers=1, RAGAUTH_INSTANCE_DIR=str(folder), **settings) as other,
        ):
            user = one.sign_up()
            wait_until(lambda: len(mails_to(smtp, user)) == 1)
            code = mails_to(smtp, user)[0].text.split("\n\n")[1].strip()
            assert one.client.post("/api/auth/email/verify", json={"token": code}).is_success

            def use(host: Service, cost: int) -> int:
                return host.get(f"/api/v1/authorize?cost={cost}", user.api_key)

            def read(host: Service) -> int:
                return host.get("/api/auth/usage", user.token)

            for cost in (800, 200):
                assert use(other, cost) == 200
                calls = [lambda host=host: read(host) for host in (one, other)]
                assert set(at_once(calls * READERS_OF_EACH)) == {200}
            assert use(one, 1) == 429
            wait_until(lambda: len(mails_to(smtp, user)) == 3)
            for host in (one, other):
                assert host.gunicorn.terminate() == 0
        assert told(installation) == ["limit:warned", "limit:reached"]
        # Each host may send one of them, so they may overtake each other.
        assert sorted(mail.subject for mail in mails_to(smtp, user)[1:]) == [
            "80 % of your 1,000 requests a month are used",
            "Your 1,000 requests a month are used up",
        ]
