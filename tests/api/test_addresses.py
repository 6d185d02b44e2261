"""S40: an address that cannot be read is no address, and one that can be is read as what it is."""

import json
from collections.abc import Callable
from itertools import cycle

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.cases import for_each
from tests.clients import PASSWORD, Client, Member, error, ok
from tests.factories.api_keys import make_service_key
from tests.factories.commands import run

AUTHORIZE = "/api/v1/authorize"
SIZE = 3
CLIENT = "203.0.113.7"
READ_AS_THE_CLIENT = [
    CLIENT,
    f"{CLIENT}:5678",
    f'"{CLIENT}:5678"',
    f"::ffff:{CLIENT}",
    f"[::ffff:{CLIENT}]:443",
    f" \t{CLIENT} ",
    f'", {CLIENT}',
    f"198.51.100.1,, {CLIENT}",
]
# What a proxy that appends can be made to hand on, or one that knows nothing; None is no header.
UNREADABLE = ['"', "", "unknown", None, f'{CLIENT}, "', f"{CLIENT},", "z" * 60, "[::1", "\xe4"]

MakeApp = Callable[..., Flask]


@pytest.fixture
def throttled(share_app: MakeApp) -> Flask:
    return share_app(
        trusted_proxies=1,
        compat=("ragchats", "rst"),
        login_failures_per_address=SIZE,
        signups_per_address=SIZE,
        login_failures_per_account=SIZE,
    )


@pytest.fixture
def proxied(share_app: MakeApp) -> Flask:
    return share_app(trusted_proxies=1)


def at(app: Flask, forwarded_for: str | None) -> Client:
    """A client of whom the proxy says this."""
    return Client(app, {} if forwarded_for is None else {"X-Forwarded-For": forwarded_for})


class TestThrottles:
    def assert_shared(
        self, app: Flask, statuses: set[int], ask: Callable[[Client, int], TestResponse]
    ) -> None:
        """All without an address together get what one address gets, and cost no other."""
        for number, header in zip(range(SIZE), cycle(UNREADABLE)):
            assert ask(at(app, header), number).status_code in statuses
        for number, header in enumerate(UNREADABLE):
            assert ask(at(app, header), SIZE + number).status_code == 429, header
        assert ask(at(app, "198.51.100.9"), 99).status_code in statuses

    @pytest.mark.parametrize(
        "path",
        ["/api/auth/login", "/compat/ragchats/api/auth/login", "/compat/rst/v1/auth/login"],
    )
    def test_wrong_logins_without_an_address_are_counted_as_one(
        self, throttled: Flask, path: str
    ) -> None:
        """S40 and S9: on every face."""
        name = "username" if "rst" in path else "email"

        def guess(client: Client, number: int) -> TestResponse:
            login = f"nobody{number}" if name == "username" else f"nobody{number}@example.com"
            return client.post(path, {name: login, "password": "a wrong password"})

        self.assert_shared(throttled, {401}, guess)

    def test_signups_without_an_address_are_counted_as_one(self, throttled: Flask) -> None:
        """S40"""

        def sign_up(client: Client, number: int) -> TestResponse:
            body = {"email": f"somebody{number}@example.com", "password": PASSWORD}
            return client.post("/api/auth/signup", body, headers={"User-Agent": "operator"})

        self.assert_shared(throttled, {201}, sign_up)
        # An operator has no address either.
        email = ("--email", "by-hand@example.com", "--generate-password")
        run(throttled, "accounts", "create", *email)

    def test_forgotten_passwords_without_an_address_are_counted_as_one(
        self, throttled: Flask
    ) -> None:
        """S40"""

        def forget(client: Client, number: int) -> TestResponse:
            body = {"email": f"nobody{number}@example.com"}
            return client.post("/api/auth/password/forgot", body)

        self.assert_shared(throttled, {202}, forget)

    @pytest.mark.parametrize("header", READ_AS_THE_CLIENT)
    def test_an_address_is_the_same_in_all_its_forms(self, throttled: Flask, header: str) -> None:
        """S40 and S22: a port or a mapped form gives nobody a second allowance."""
        for number in range(SIZE):
            body = {"email": f"nobody{number}@example.com", "password": "a wrong password"}
            plain = at(throttled, CLIENT).post("/api/auth/login", body)
            error(plain, 401, "AUTHENTICATION_ERROR", "invalid")
        response = at(throttled, header).post("/api/auth/login", body)
        assert error(response, 429, "RATE_LIMIT_EXCEEDED")["limit"] == "login_failures_per_address"

    def test_nowhere_is_no_place_where_an_owner_has_logged_in(self, make_app: MakeApp) -> None:
        """S40: or every stranger without an address would be taken for him."""
        app = make_app(trusted_proxies=1, login_failures_per_account=SIZE)
        owner = at(app, '"').sign_up()
        at(app, CLIENT).log_in(owner)
        for number in range(SIZE):
            stranger = at(app, f"198.51.100.{number}")
            body = {"email": owner.email, "password": "a wrong password"}
            stranger.post("/api/auth/login", body)
        for header in UNREADABLE:
            body = {"email": owner.email, "password": PASSWORD}
            response = at(app, header).post("/api/auth/login", body)
            error(response, 429, "RATE_LIMIT_EXCEEDED")
        at(app, CLIENT).log_in(owner)


class TestAllowedAddresses:
    """The lists hold the proxy's own network, and every network there is."""

    @for_each("networks", [["127.0.0.0/8"], ["0.0.0.0/0", "::/0"]])
    @for_each("path", [AUTHORIZE, f"{AUTHORIZE}?cost=0&", "/api/v1/me"])
    def test_no_list_allows_what_cannot_be_read(
        self, client: Client, proxied: Flask, networks: list[str], path: str
    ) -> None:
        """S40"""
        key = client.sign_up().create_key(allowed_ips=networks)["api_key"]
        for header in UNREADABLE:
            response = at(proxied, header).as_key(key).get(path)
            error(response, 403, "AUTHORIZATION_ERROR", "ip_not_allowed")

    @for_each("path", [AUTHORIZE, "/api/v1/me"])
    def test_an_address_is_allowed_in_all_its_forms(
        self, client: Client, proxied: Flask, path: str
    ) -> None:
        """S40"""
        key = client.sign_up().create_key(allowed_ips=[f"{CLIENT}/32"])["api_key"]
        for header in READ_AS_THE_CLIENT:
            assert at(proxied, header).as_key(key).get(path).status_code == 200, header

    def test_ipv6_has_ports_brackets_and_zones(self, client: Client, proxied: Flask) -> None:
        """S40"""
        key = client.sign_up().create_key(allowed_ips=["2001:db8::7", "fe80::/10"])["api_key"]
        for header in ("2001:db8::7", "[2001:DB8::7]:443", '"[2001:db8::7]:443"', "fe80::1%eth0"):
            assert at(proxied, header).as_key(key).get(AUTHORIZE).status_code == 200, header

    def test_a_list_counts_the_proxies(self, client: Client, make_app: MakeApp) -> None:
        """S40: too short a list does not tell of the client."""
        key = client.sign_up().create_key(allowed_ips=[CLIENT])["api_key"]
        two = make_app(trusted_proxies=2)
        for header, status in (
            (f"{CLIENT}, 10.0.0.1", 200),
            (f'", {CLIENT}, 10.0.0.1', 200),
            (f"{CLIENT}:80, unknown", 200),
            (CLIENT, 403),
            (f"10.0.0.1, {CLIENT}", 403),
            (f'"{CLIENT}, 10.0.0.1"', 403),
        ):
            assert at(two, header).as_key(key).get(AUTHORIZE).status_code == status, header

    def test_several_lines_are_one_list(self, client: Client, proxied: Flask) -> None:
        """S40: as a server joins them."""
        key = client.sign_up().create_key(allowed_ips=[CLIENT])["api_key"]
        for header, status in ((f'",{CLIENT}', 200), (f'{CLIENT},"', 403)):
            assert at(proxied, header).as_key(key).get(AUTHORIZE).status_code == status, header

    @for_each("peer", ["", "unix:"])
    def test_a_peer_without_an_address_is_in_no_list(self, client: Client, peer: str) -> None:
        """S40: a Unix socket's, where no proxy is trusted."""
        key = client.sign_up().create_key(allowed_ips=["0.0.0.0/0", "::/0"])["api_key"]
        for path in (AUTHORIZE, "/api/v1/me"):
            response = client.as_key(key).get(path, environ_base={"REMOTE_ADDR": peer})
            error(response, 403, "AUTHORIZATION_ERROR", "ip_not_allowed")

    @for_each("content_type", ["application/json", "application/json; charset=utf-8"])
    def test_a_service_tells_an_address_in_any_form(
        self, client: Client, content_type: str
    ) -> None:
        """S40: the gate and the application alike."""
        service = client.as_key(make_service_key(client.app, "verify"))
        key = client.sign_up().create_key(allowed_ips=[CLIENT, "2001:db8::/32"])["api_key"]
        told = [(text, True) for text in READ_AS_THE_CLIENT if "," not in text]
        told += [("[2001:db8::7]:443", True), ("2001:db8::7%eth0", True)]
        told += [(text, False) for text in UNREADABLE if text is not None]
        for text, is_valid in told:
            response = service.request(
                "POST",
                "/api/v1/keys/verify",
                data=json.dumps({"key": key, "client_ip": text}),
                content_type=content_type,
            )
            verdict = ok(response)
            assert verdict["valid"] is is_valid, text
            assert verdict["status"] == (200 if is_valid else 403)

    @for_each(
        ("network", "read_as"),
        [
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:203.0.113.7", "203.0.113.7/32"),
            (" 203.0.113.0/24 ", "203.0.113.0/24"),
            ("10.1.2.3/8", "write 10.0.0.0/8 for the network"),
            ("1.2.3.4/0", "write 0.0.0.0/0 for the network"),
            ("fe80::1%eth0", "May not have a zone"),
            ("203.0.113.7:443", "such as 203.0.113.0/24"),
            ("\u0661\u0660.0.0.0/8", "such as 203.0.113.0/24"),
        ],
    )
    def test_a_list_is_read_as_what_it_is_or_a_fault_that_says_why(
        self, client: Client, network: str, read_as: str
    ) -> None:
        """S40"""
        member = client.sign_up()
        path = f"/api/auth/api-keys/{member.create_key()['id']}"
        response = member.client.patch(path, {"allowed_ips": [network]})
        if "/" in read_as and " " not in read_as:
            assert ok(response)["allowed_ips"] == [read_as]
        else:
            [issue] = error(response, 400, "VALIDATION_ERROR")["issues"]
            assert issue["path"] == ["allowed_ips", 0]
            assert read_as in issue["message"]


class TestWhatIsTold:
    def told(self, member: Member, ip: str | None) -> None:
        [session, *_] = ok(member.client.get("/api/auth/sessions"))
        assert session["ip"] == ip
        assert {event["ip"] for event in ok(member.client.get("/api/auth/events"))} == {ip}

    @for_each("header", UNREADABLE)
    def test_sessions_events_and_the_log_tell_no_address(
        self, proxied: Flask, header: str | None, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """S40: above all not the proxy's own."""
        member = at(proxied, header).sign_up()
        self.told(member, None)
        at(proxied, header).as_key(member.api_key).get(AUTHORIZE)
        lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
        requests = [line for line in lines if line["logger"] == "ragauth.request"]
        assert len(requests) == 4
        assert {line["ip"] for line in requests} == {None}

    @for_each("header", READ_AS_THE_CLIENT)
    def test_they_tell_an_address_in_its_one_spelling(
        self, proxied: Flask, header: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """S40"""
        member = at(proxied, header).sign_up()
        self.told(member, CLIENT)
        at(proxied, header).as_key(member.api_key).get(AUTHORIZE)
        assert capfd.readouterr().err.count(f'"ip": "{CLIENT}"') == 4

    def test_a_peer_on_an_ipv6_socket_has_its_ipv4_address(self, client: Client) -> None:
        """S40"""
        body = {"email": "ada@example.com", "password": PASSWORD}
        mapped = {"REMOTE_ADDR": "::ffff:127.0.0.1"}
        data = ok(client.post("/api/auth/signup", body, environ_base=mapped), 201)
        [session] = ok(client.as_user(data["token"]).get("/api/auth/sessions"))
        assert session["ip"] == "127.0.0.1"


class TestHttps:
    @for_each("proto", [None, "", '"', "https,", 'https, "', "on", "http,http"])
    def test_what_does_not_say_https_is_plain_http(
        self, share_app: MakeApp, proto: str | None
    ) -> None:
        """S40: however the proxy itself came."""
        strict = Client(
            share_app(require_https=True, trusted_proxies=1),
            {} if proto is None else {"X-Forwarded-Proto": proto},
        )
        for path in ("/api/auth/me", AUTHORIZE):
            response = strict.get(path, base_url="https://auth.example.com")
            error(response, 403, "AUTHORIZATION_ERROR", "https_required")

    @for_each("proto", ["https", "HTTPS", '", https', "http,,\thttps "])
    def test_the_nearest_entry_decides(self, share_app: MakeApp, proto: str) -> None:
        """S22"""
        strict = Client(
            share_app(require_https=True, trusted_proxies=1), {"X-Forwarded-Proto": proto}
        )
        for path in ("/api/auth/me", AUTHORIZE):
            error(strict.get(path), 401, "AUTHENTICATION_ERROR", "missing")


class TestOwnOrigin:
    """In cookie mode, for a browser that does not say which site a request is from."""

    @for_each(
        ("host", "origin", "is_own"),
        [
            (None, "http://localhost", True),
            ("auth.example.com", "https://auth.example.com", True),
            ("evil.example, auth.example.com", "https://auth.example.com", True),
            ('", auth.example.com', "https://auth.example.com", True),
            ("evil.example, auth.example.com", "https://evil.example", False),
            ("evil.example,", "https://evil.example", False),
            ("evil.example/,a b", "https://evil.example", False),
            ('evil.example, "', "http://localhost", True),
            ('evil.example, "', "null", False),
            (None, "null", False),
        ],
    )
    def test_it_is_what_the_trusted_proxy_says(
        self, share_app: MakeApp, host: str | None, origin: str, is_own: bool
    ) -> None:
        """S22 and S17: never what stands to the left of it."""
        headers = {} if host is None else {"X-Forwarded-Host": host}
        page = Client(share_app(refresh_cookie=True, trusted_proxies=1), headers)
        assert self.status(page, origin) == (401 if is_own else 403)

    @for_each("origin", ["null", "", "https://"])
    def test_a_host_that_cannot_be_read_is_nobodys(self, share_app: MakeApp, origin: str) -> None:
        """S17"""
        page = Client(share_app(refresh_cookie=True), {"Host": "no host"})
        assert self.status(page, origin) == 403

    def status(self, page: Client, origin: str) -> int:
        """Of a refresh with a cookie that is no token: 401 once the page may use it."""
        sent = {"Cookie": "__Host-ragauth_refresh=x", "X-Ragauth-CSRF": "1", "Origin": origin}
        return page.post("/api/auth/token/refresh", headers=sent).status_code
