"""Refresh rotation against a model (S13, S44).

Any order of refreshes, logouts and clock steps, from clients that share a network, a user agent or
neither.
"""

from dataclasses import dataclass, field

import pytest
import time_machine
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from werkzeug.test import TestResponse

from tests.clients import Client, error, ok

pytestmark = pytest.mark.both_databases

NOON = "2026-03-01T12:00:00Z"
GRACE = 20
LIFETIME = 604_800
ACCESS_LIFETIME = 3600

which_session = st.integers(0, 1)


@dataclass(frozen=True)
class Origin:
    ip: str
    agent: str


HOME = Origin("203.0.113.7", "a browser")
NEIGHBOUR = Origin("203.0.113.200", "a browser")
AWAY = Origin("198.51.100.7", "a browser")
STRANGER = Origin("203.0.113.7", "curl")
STRANGER_AWAY = Origin("198.51.100.7", "curl")
# Mostly one client, as it is: else every session ends at once.
which_origin = st.sampled_from((HOME, HOME, HOME, NEIGHBOUR, AWAY, STRANGER, STRANGER_AWAY))


@dataclass
class Pair:
    """What was handed out for one generation, when, and to whom first."""

    token: str
    refresh_token: str
    issued_at: int
    told: Origin = HOME


@dataclass
class ModelSession:
    """The pairs by generation; only the newest is good, the one before for its grace."""

    pairs: list[Pair] = field(default_factory=list)
    is_ended: bool = False

    def answer(self, generation: int, now: int, origin: Origin) -> str:
        """What refreshing with that generation's token, from there, must come to."""
        if now >= self.pairs[generation].issued_at + LIFETIME:
            return "expired"
        newest = len(self.pairs) - 1
        if generation == newest:
            return "revoked" if self.is_ended else "successor"
        in_grace = generation == newest - 1 and now - self.pairs[newest].issued_at <= GRACE
        if not in_grace or origin.agent != self.pairs[newest].told.agent:
            return "reused"
        if self.is_ended:
            return "revoked"
        return "the same successor" if self.is_near(origin) else "reused, nothing ends"

    def is_near(self, origin: Origin) -> bool:
        """Whether it is the network that the newest pair was told to."""
        return origin.ip.rpartition(".")[0] == self.pairs[-1].told.ip.rpartition(".")[0]


class Rotation(RuleBasedStateMachine):
    """Two sessions of one account; whoever refreshes may hold any token ever handed out."""

    app: Flask

    def __init__(self) -> None:
        super().__init__()
        self.travel = time_machine.travel(NOON, tick=False)
        self.clock = self.travel.start()
        self.now = 0
        self.has_waited_long = False
        self.client = Client(self.app)
        self.sessions: list[ModelSession] = []

    def teardown(self) -> None:
        try:
            for session in self.sessions:
                self._check_what_lives(session)
        finally:
            self.travel.stop()

    @initialize()
    def two_logins(self) -> None:
        member = self.client.sign_up()
        again = self.client.log_in(member)
        for token, refresh_token in (
            (member.token, member.refresh_token),
            (again["token"], again["refresh_token"]),
        ):
            self.sessions.append(ModelSession([Pair(token, refresh_token, self.now)]))

    @rule(which=which_session, back=st.sampled_from((0, 0, 0, 1, 1, 1, 2)), origin=which_origin)
    def refresh(self, which: int, back: int, origin: Origin) -> None:
        """With the newest token, or one that is `back` generations older."""
        session = self.sessions[which]
        generation = max(0, len(session.pairs) - 1 - back)
        expected = session.answer(generation, self.now, origin)
        response = self._present(session.pairs[generation].refresh_token, origin)
        if expected == "successor":
            data = ok(response)
            pair = Pair(data["token"], data["refresh_token"], self.now, origin)
            known = {old.refresh_token for any_ in self.sessions for old in any_.pairs}
            assert pair.refresh_token not in known
            session.pairs.append(pair)
        elif expected == "the same successor":
            data = ok(response)
            newest = session.pairs[-1]
            assert (data["token"], data["refresh_token"]) == (newest.token, newest.refresh_token)
        else:
            error(response, 401, "AUTHENTICATION_ERROR", expected.partition(",")[0])
            session.is_ended = session.is_ended or expected == "reused"

    def _present(self, refresh_token: str, origin: Origin) -> TestResponse:
        return self.client.post(
            "/api/auth/token/refresh",
            {"refresh_token": refresh_token},
            environ_base={"REMOTE_ADDR": origin.ip},
            headers={"User-Agent": origin.agent},
        )

    @precondition(lambda self: any(len(session.pairs) > 2 for session in self.sessions))
    @rule(which=which_session, back=st.integers(0, 2), with_access=st.booleans())
    def log_out(self, which: int, back: int, with_access: bool) -> None:
        """With any token of the session, dead or alive."""
        session = self.sessions[which]
        pair = session.pairs[max(0, len(session.pairs) - 1 - back)]
        token = pair.token if with_access else pair.refresh_token
        ok(self.client.as_user(token).post("/api/auth/logout"), 204)
        session.is_ended = True

    @rule(seconds=st.sampled_from((1, GRACE, GRACE + 1, ACCESS_LIFETIME)))
    def wait(self, seconds: int) -> None:
        self.clock.shift(seconds)
        self.now += seconds

    @precondition(lambda self: not self.has_waited_long)
    @rule(short_by=st.integers(0, 1))
    def wait_a_refresh_tokens_life(self, short_by: int) -> None:
        self.has_waited_long = True
        self.wait(LIFETIME - short_by)

    @rule(which=which_session)
    def use_every_access_token(self, which: int) -> None:
        self._check_access(self.sessions[which])

    def _check_access(self, session: ModelSession) -> None:
        for pair in session.pairs:
            response = self.client.as_user(pair.token).get("/api/auth/me")
            if self.now >= pair.issued_at + ACCESS_LIFETIME:
                error(response, 401, "AUTHENTICATION_ERROR", "expired")
            elif session.is_ended:
                error(response, 401, "AUTHENTICATION_ERROR", "revoked")
            else:
                ok(response)

    def _check_what_lives(self, session: ModelSession) -> None:
        """Nothing after the end; else one successor, however often it is asked for."""
        self._check_access(session)
        successors = set()
        for pair in session.pairs[::-1][: 1 if not session.is_ended else None]:
            for _ in range(2):
                response = self._present(pair.refresh_token, HOME)
                if response.status_code == 200:
                    successors.add(ok(response)["refresh_token"])
        is_live = not session.is_ended and self.now < session.pairs[-1].issued_at + LIFETIME
        assert len(successors) == is_live


def test_no_order_of_events_yields_two_successors_or_a_token_that_outlives_reuse(
    app: Flask, database: str
) -> None:
    """S13: refresh rotates; reuse ends the session, for good.

    S44: the successor is told again only to the user agent and network that it was told to.
    """

    class OnThisDatabase(Rotation):
        pass

    OnThisDatabase.app = app
    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            # Six, and `make test-fuzz` more.
            max_examples=settings().max_examples // (5 if database == "sqlite" else 15),
            stateful_step_count=18,
            # A failure is short as it is; to make it shorter would take minutes.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
