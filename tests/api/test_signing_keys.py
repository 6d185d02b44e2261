"""S16: signing keys rotate without logging anyone out, and are encrypted at rest."""

import base64
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from sqlalchemy import select, update

from ragauth import transaction
from ragauth.clock import now
from ragauth.errors import Conflict
from ragauth.extensions import db
from ragauth.models import SigningKey
from ragauth.models.reads.signing_keys import SigningKeyLookup
from ragauth.services.sessions import signing_key_rotation, signing_keys
from ragauth.services.sessions.signing_key_rotation import SIGN_AFTER_SECONDS
from ragauth.services.sessions.signing_keys import RING_SECONDS
from tests.api.test_tokens import CLAIMS, assert_refused
from tests.applications import SECRET_KEY
from tests.clients import PASSWORD, Client, Member, error, ok
from tests.factories.commands import run
from tests.factories.signing_keys import (
    MovingClock,
    kid_of,
    list_keys,
    moving_clock,
    published,
    retire,
    rotate,
    states,
)
from tests.factories.tokens import sign, signing_key, split_token
from tests.runtime import runtime_of

ME = "/api/auth/me"
REFRESH = "/api/auth/token/refresh"
WEEK = 604_800
NEW_SECRET = b"the secret that comes after the tests' secret"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[MovingClock]:
    with moving_clock(monkeypatch) as moving:
        yield moving


@pytest.fixture
def other_host(share_app: Callable[..., Flask]) -> Client:
    """The service on another host, with the same database."""
    return Client(share_app())


def refresh(client: Client, refresh_token: str) -> dict[str, Any]:
    pair: dict[str, Any] = ok(client.post(REFRESH, {"refresh_token": refresh_token}))
    return pair


def log_in(client: Client, member: Member) -> str:
    token: str = client.log_in(member)["token"]
    return token


@pytest.mark.every_database
class TestTheFirstKey:
    def test_many_first_starts_at_once_agree_on_one(
        self, app: Flask, make_app: Callable[..., Flask]
    ) -> None:
        """S36"""
        hosts = [app, make_app(), make_app()]
        barrier = Barrier(12)
        seen: list[str] = []

        def start(host: Flask) -> None:
            barrier.wait()
            seen.extend(published(host))

        threads = [Thread(target=start, args=(hosts[number % 3],)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 12
        assert set(seen) == set(states(app))
        assert len(set(seen)) == 1

    def test_many_first_signups_at_once_are_signed_with_one(
        self, app: Flask, other_host: Client
    ) -> None:
        """S36"""
        clients = [Client(app), other_host, other_host]  # there are three places to hash
        barrier = Barrier(len(clients))
        members: list[Member] = []

        def sign_up(client: Client) -> None:
            barrier.wait()
            members.append(client.sign_up())

        threads = [Thread(target=sign_up, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {kid_of(member.token) for member in members} == set(states(app))
        assert len(states(app)) == 1
        for member in members:
            ok(Client(app).as_user(member.token).get(ME))
            ok(other_host.as_user(member.token).get(ME))

    def test_one_that_was_never_committed_is_not_remembered(self, app: Flask) -> None:
        with app.app_context(), suppress(Conflict), transaction.unit_of_work():
            lost = signing_keys.key_of(now())
            raise Conflict
        (kept,) = published(app)
        assert kept != lost.kid
        assert kid_of(Client(app).sign_up().token) == kept

    def test_its_token_is_good_at_once_however_many_were_refused_before(
        self, client: Client, clock: MovingClock
    ) -> None:
        claims = dict.fromkeys(CLAIMS, "x")
        for kid in ("a", "b", "c"):
            header = {"alg": "ES256", "typ": "JWT", "kid": kid}
            assert_refused(client, sign(header, claims, ec.generate_private_key(ec.SECP256R1())))
        member = client.sign_up()
        ok(member.client.get(ME))


class TestRotation:
    def test_nobody_is_logged_out(
        self, client: Client, other_host: Client, clock: MovingClock
    ) -> None:
        """S16"""
        member = client.sign_up()
        first = kid_of(member.token)
        second = rotate(client.app)
        clock.let_every_process_learn()
        for host in (client, other_host):
            assert published(host.app) == [first, second]
            assert kid_of(log_in(host, member)) == first
        clock.shift(SIGN_AFTER_SECONDS)
        for host in (client, other_host):
            assert kid_of(log_in(host, member)) == second
            ok(host.as_user(member.token).get(ME))
        pair = refresh(other_host, member.refresh_token)
        assert {kid_of(pair["token"]), kid_of(pair["refresh_token"])} == {second}
        ok(client.as_user(pair["token"]).get(ME))
        ok(client.as_user(member.token).get(ME))

    def test_a_spent_token_gets_the_same_successor_from_either_side_of_the_change(
        self, client: Client, other_host: Client, clock: MovingClock
    ) -> None:
        """S13, S16: the key is that of the moment when the generation began."""
        member = client.sign_up()
        rotate(client.app, "--sign-after", "10")
        clock.shift(9)
        before = refresh(client, member.refresh_token)
        clock.shift(2)
        after = refresh(other_host, member.refresh_token)
        assert (after["token"], after["refresh_token"]) == (
            before["token"],
            before["refresh_token"],
        )
        assert kid_of(log_in(client, member)) != kid_of(after["token"])

    @pytest.mark.every_database
    def test_refreshes_at_the_instant_of_the_change_get_one_successor(
        self, client: Client, other_host: Client, clock: MovingClock
    ) -> None:
        """S13, S16: two hosts, of which one has not signed with the new key yet."""
        member = client.sign_up()
        second = rotate(client.app, "--sign-after", "2")
        clock.shift(2)
        barrier = Barrier(8)
        pairs: list[tuple[str, str]] = []

        def run_refresh(host: Client) -> None:
            barrier.wait()
            pair = refresh(host, member.refresh_token)
            pairs.append((pair["token"], pair["refresh_token"]))

        threads = [Thread(target=run_refresh, args=(host,)) for host in [client, other_host] * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(pairs), len(set(pairs))) == (8, 1)
        assert kid_of(pairs[0][0]) == second

    @pytest.mark.every_database
    def test_two_rotations_at_once_leave_a_ring_that_every_host_agrees_on(
        self, client: Client, other_host: Client, clock: MovingClock
    ) -> None:
        """S36"""
        member = client.sign_up()
        barrier = Barrier(2)

        def make_key(app: Flask) -> None:
            barrier.wait()
            with app.app_context():
                signing_key_rotation.rotate(sign_after_seconds=2)

        threads = [Thread(target=make_key, args=(host.app,)) for host in (client, other_host)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.shift(2)
        assert sorted(states(client.app).values()) == ["signing", "verifying", "verifying"]
        tokens = [log_in(host, member) for host in (client, other_host)]
        assert states(client.app)[kid_of(tokens[0])] == "signing"
        assert kid_of(tokens[0]) == kid_of(tokens[1])

    @pytest.mark.every_database
    def test_a_token_of_a_key_that_a_host_has_not_seen_is_looked_up(
        self, client: Client, other_host: Client, clock: MovingClock
    ) -> None:
        """A host whose clock is ahead signs before the others have read the ring again."""
        member = client.sign_up()
        ok(other_host.as_user(member.token).get(ME))
        rotate(client.app, "--sign-after", "2")
        clock.shift(RING_SECONDS / 2)
        _let_all_sign_now(client.app)
        runtime_of(client.app).signing_ring.forget()
        token = log_in(client, member)
        assert kid_of(token) != kid_of(member.token)
        ok(other_host.as_user(token).get(ME))


class TestRetirement:
    @pytest.mark.both_databases
    def test_every_host_refuses_its_tokens_within_the_time_that_is_promised(
        self, client: Client, other_host: Client, clock: MovingClock
    ) -> None:
        """S16: what was verified before is refused too."""
        member = client.sign_up()
        first = kid_of(member.token)
        rotate(client.app, "--sign-after", "2")
        clock.shift(2)
        token = log_in(client, member)
        for host in (client, other_host):
            ok(host.as_user(member.token).get(ME))
        retire(client.app, first, "--force")
        clock.shift(RING_SECONDS)
        for host in (client, other_host):
            assert_refused(host.as_user(""), member.token)
            answer = host.post(REFRESH, {"refresh_token": member.refresh_token})
            error(answer, 401, "AUTHENTICATION_ERROR", "invalid")
            assert first not in published(host.app)
            ok(host.as_user(token).get(ME))

    def test_whoever_has_the_stolen_key_can_forge_no_token_with_it(
        self, client: Client, clock: MovingClock
    ) -> None:
        """S11, S16"""
        member = client.sign_up()
        stolen = signing_key(client.app)
        header, claims = split_token(member.token)
        second = rotate(client.app, "--sign-after", "2")
        clock.shift(2)
        ok(client.as_user(sign(header, claims, stolen)).get(ME))
        retire(client.app, header["kid"], "--force")
        clock.shift(RING_SECONDS)
        assert_refused(client, sign(header, claims, stolen))
        assert_refused(client, sign({**header, "kid": second}, claims, stolen))

    def test_a_key_whose_tokens_have_ended_is_retired_without_force(
        self, client: Client, clock: MovingClock
    ) -> None:
        first = kid_of(client.sign_up().token)
        second = rotate(client.app)
        clock.shift(SIGN_AFTER_SECONDS + WEEK)
        retire(client.app, first)
        assert states(client.app) == {first: "retired", second: "signing"}

    @pytest.mark.both_databases
    def test_the_private_half_of_a_retired_key_is_gone(
        self, client: Client, clock: MovingClock
    ) -> None:
        first = kid_of(client.sign_up().token)
        rotate(client.app, "--sign-after", "2")
        clock.shift(2)
        retire(client.app, first, "--force")
        assert _stored(client.app)[first] == b""


class TestUnknownKeyIds:
    def test_an_invented_key_id_is_not_a_query_each(
        self, client: Client, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S29: whoever makes key ids up gets no more than two reads of the ring in a second."""
        member = client.sign_up()
        header, claims = split_token(member.token)
        key = signing_key(client.app)
        reads = 0
        list_live = SigningKeyLookup.list_live

        def count(lookup: SigningKeyLookup) -> object:
            nonlocal reads
            reads += 1
            return list_live(lookup)

        monkeypatch.setattr(SigningKeyLookup, "list_live", count)
        for second in range(1, 4):
            clock.shift(RING_SECONDS)
            for number in range(50):
                kid = f"invented-{second}-{number}"
                assert_refused(client, sign({**header, "kid": kid}, claims, key))
                ok(member.client.get(ME))
            assert reads <= 2 * second


class TestAtRest:
    def test_no_private_key_stands_in_the_database(self, client: Client) -> None:
        """S16: not in a column, not in a file of SQLite, in no usual form."""
        kid, key = kid_of(client.sign_up().token), signing_key(client.app)
        scalar = key.private_numbers().private_value.to_bytes(32)
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        forms = [
            scalar,
            scalar.hex().encode(),
            base64.b64encode(scalar).rstrip(b"="),
            base64.urlsafe_b64encode(scalar).rstrip(b"="),
            der,
            base64.b64encode(der)[:-4],
            SECRET_KEY,
        ]
        stored = _everything(client.app)
        assert kid.encode() in stored
        for form in forms:
            assert form not in stored

    def test_a_sealed_key_is_of_no_use_in_another_row(
        self, client: Client, clock: MovingClock
    ) -> None:
        first = kid_of(client.sign_up().token)
        second = rotate(client.app, "--sign-after", "2")
        clock.shift(2)
        _store(client.app, second, _stored(client.app)[first])
        runtime_of(client.app).signing_ring.forget()
        error(client.post("/api/auth/signup", _new_account()), 503, "EXTERNAL_SERVICE_ERROR")


class TestANewSecret:
    def test_nobody_is_logged_out(self, client: Client, make_app: Callable[..., Flask]) -> None:
        """S16: the old secret opens until everything is sealed with the new one."""
        member = client.sign_up()
        both = Client(make_app(secret_key=NEW_SECRET, old_secret_keys=(SECRET_KEY,)))
        pair = refresh(both, member.refresh_token)
        assert kid_of(pair["token"]) == kid_of(member.token)
        ok(client.as_user(pair["token"]).get(ME))
        assert run(both.app, "reseal").split()[:4] == [
            *("signing_keys", "1"),
            *("unreadable_signing_keys", "0"),
        ]
        new = Client(make_app(secret_key=NEW_SECRET))
        pair = refresh(new, pair["refresh_token"])
        assert kid_of(pair["token"]) == kid_of(member.token)
        ok(new.as_user(member.token).get(ME))

    def test_without_the_old_one_tokens_are_verified_but_none_is_signed(
        self, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        member = client.sign_up()
        other = Client(make_app(secret_key=NEW_SECRET))
        ok(other.as_user(member.token).get(ME))
        answer = other.post("/api/auth/signup", _new_account())
        error(answer, 503, "EXTERNAL_SERVICE_ERROR")
        (key,) = list_keys(other.app)
        assert key["sealed_with"] == "unknown"

    def test_a_new_key_is_the_way_out_when_the_old_secret_is_lost(
        self, client: Client, make_app: Callable[..., Flask], clock: MovingClock
    ) -> None:
        member = client.sign_up()
        other = Client(make_app(secret_key=NEW_SECRET))
        rotate(other.app, "--sign-after", "2")
        clock.shift(2)
        stranger = other.sign_up()
        ok(stranger.client.get(ME))
        ok(other.as_user(member.token).get(ME))


def test_a_ring_that_is_retired_by_hand_is_an_error_with_a_way_out(
    client: Client, clock: MovingClock
) -> None:
    client.sign_up()
    with client.app.app_context(), db.engine.begin() as connection:
        table = SigningKey.__table__
        connection.execute(update(table).values(retired_at=table.c.created_at))
    clock.shift(RING_SECONDS)
    error(client.post("/api/auth/signup", _new_account()), 503, "EXTERNAL_SERVICE_ERROR")
    rotate(client.app)
    client.sign_up()


def _new_account() -> dict[str, str]:
    return {"email": "a-new-account@example.com", "password": PASSWORD}


def _stored(app: Flask) -> dict[str, bytes]:
    """What stands in the column of the private keys."""
    table = SigningKey.__table__
    with app.app_context(), db.engine.connect() as connection:
        rows = connection.execute(select(table.c.kid, table.c.sealed_private_key)).all()
    return {row.kid: row.sealed_private_key for row in rows}


def _store(app: Flask, kid: str, sealed: bytes) -> None:
    table = SigningKey.__table__
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(
            update(table).where(table.c.kid == kid).values(sealed_private_key=sealed)
        )


def _everything(app: Flask) -> bytes:
    """All bytes that the ring takes in the database: its row, and SQLite's files."""
    with app.app_context(), db.engine.connect() as connection:
        rows = connection.execute(select(SigningKey.__table__)).all()
    columns = [value for row in rows for value in row]
    written = b"".join(
        value if isinstance(value, bytes) else str(value).encode() for value in columns
    )
    url = runtime_of(app).settings.database_url
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        files = [path for path in file.parent.iterdir() if path.name.startswith(file.name)]
        assert len(files) >= 2  # with its write-ahead log, where the last change is
        written += b"".join(path.read_bytes() for path in files)
    return written


def _let_all_sign_now(app: Flask) -> None:
    table = SigningKey.__table__
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(update(table).where(table.c.signs_from > now()).values(signs_from=now()))
