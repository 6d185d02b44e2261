"""What an account's owner was told of its limits."""

from typing import Any

from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.usage import save_usage
from tests.api.metering.asking import authorize
from tests.clients import Client, Member, ok
from tests.factories.mails import Mail, receive_mail

WARNED, REACHED = "limit:warned", "limit:reached"
MOST_TOKENS_A_DAY = "80 % of your 100 tokens a day are used"
ALL_TOKENS_A_DAY = "Your 100 tokens a day are used up"


def use_tokens(member: Member, amount: int, key: str | None = None) -> None:
    """One check, whose usage is saved as by the process beside the workers."""
    caller = member.key_client if key is None else Client(member.client.app).as_key(key)
    assert authorize(caller, f"use=tokens:{amount}").status_code == 200
    save(member)


def save(member: Member) -> None:
    with member.client.app.app_context():
        save_usage(current_limits().counters)


def events(member: Member) -> list[tuple[str, dict[str, Any]]]:
    """Names and details of those about limits, oldest first."""
    found = ok(member.client.get("/api/auth/events?limit=100"))[::-1]
    return [(each["name"], each["details"]) for each in found if each["name"][:6] == "limit:"]


def names(member: Member) -> list[str]:
    """`limit:warned tokens_per_day`, and so on, oldest first."""
    return [f"{name} {details['limit']}" for name, details in events(member)]


def mails(member: Member) -> list[Mail]:
    return receive_mail(member.client.app)


def subjects(member: Member) -> list[str]:
    return [mail.subject for mail in mails(member)]
