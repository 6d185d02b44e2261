"""How much of a customer's tokens is counted."""

from tests.e2e.service import User


def used_tokens(customer: User) -> int:
    """Of the account in all, with live keys."""
    for quota in customer.data("GET", "/api/auth/limits")["quotas"]:
        if (quota["meter"], quota["window"], quota["environment"]) == ("tokens", "total", "live"):
            used: int = quota["used"]
            return used
    raise AssertionError("no limit of tokens")
