"""Accounts as an operator leaves them."""

from tests.clients import Member
from tests.factories.commands import run


def set_plan(member: Member, plan: str) -> None:
    run(member.client.app, "accounts", "set-plan", member.id, plan)


def suspend(member: Member) -> None:
    run(member.client.app, "accounts", "suspend", member.id)


def resume(member: Member) -> None:
    run(member.client.app, "accounts", "resume", member.id)
