"""`ext:<external_id>` in the place of an account's id: one segment, whatever characters it has."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import pytest
from flask import Flask

from ragauth.web.forwarded import Forwarded
from tests.cases import for_each
from tests.clients import Client, assert_same_answer, error, issues, ok
from tests.factories.api_keys import make_service_key

ACCOUNTS = "/api/v1/internal/accounts"
NO_ID = "acc_01h455vb4pex5vsknk084sn02q"
NO_ACCOUNT = f"{ACCOUNTS}/{NO_ID}"
NAMES = [
    *(
        "c-17",
        "a/b",
        "a/",
        "/",
        "//a",
        "a//b",
        "a/api-keys",
        "api-keys",
        "a%2Fb",
        "%",
        "%25",
        "100%",
    ),
    *("a b", "a?b", "a#b", "a+b", "a;b", "a&b=c", "..", ".", "a\\b", '"', "ext:", "ext:a", "a:b"),
    *(
        "ada@example.com",
        "acc_01h455vb4pex5vsknk084sn02q",
        "Zoë/李",
        "😀" * 50,
        "\ufffd",
        "x" * 255,
    ),
]


@pytest.fixture
def service(client: Client) -> Client:
    return client.as_key(make_service_key(client.app, "accounts", "keys", "usage"))


@pytest.fixture
def other(service: Client) -> dict[str, Any]:
    """The account of another name."""
    made: dict[str, Any] = ok(service.post(ACCOUNTS, {"external_id": "a"}), 201)
    return made


@pytest.fixture
def _account_of_the_mended_name(service: Client) -> None:
    """Of what a name that is no UTF-8 would be read as."""
    ok(service.post(ACCOUNTS, {"external_id": "\ufffd"}), 201)


def path_of(name: str) -> str:
    return f"{ACCOUNTS}/ext:{quote(name, safe='')}"


@for_each("name", NAMES)
def test_every_route_takes_it(service: Client, other: dict[str, Any], name: str) -> None:
    made = ok(service.post(ACCOUNTS, {"external_id": name}), 201)
    path = path_of(name)
    for spelling in (path, f"{path}/"):
        assert ok(service.get(spelling)) == made
    assert ok(service.patch(f"{path}/", {"plan": "pro"})) == {**made, "plan": "pro"}
    key = ok(service.post(f"{path}/api-keys", {"name": "k"}), 201)
    assert ok(service.get(f"{path}/api-keys/"))[0]["id"] == key["id"]
    assert ok(service.get(f"/api/v1/internal/usage?account_id=ext:{quote(name)}")) == []
    ok(service.delete(path), 204)
    error(service.get(path), 404, "NOT_FOUND")
    assert ok(service.get(path_of("a"))) == other


def test_the_first_slash_that_is_not_escaped_ends_it(service: Client) -> None:
    whole = ok(service.post(ACCOUNTS, {"external_id": "a/api-keys"}), 201)
    begun = ok(service.post(ACCOUNTS, {"external_id": "a"}), 201)
    assert ok(service.get(f"{ACCOUNTS}/ext:a%2Fapi-keys")) == whole
    assert ok(service.get(f"{ACCOUNTS}/ext:a%2fapi%2Dkeys/")) == whole
    assert ok(service.get(f"{ACCOUNTS}/ext:a/api-keys")) == []
    assert ok(service.get(f"{ACCOUNTS}/%65xt%3aa")) == begun
    for path in ("ext:a//", "ext:a/b", "ext:a/%2fapi-keys", "ext:/a", "ext:a%2F/api-keys"):
        error(service.get(f"{ACCOUNTS}/{path}"), 404, "NOT_FOUND")


def test_usage_is_found_by_it(client: Client, service: Client) -> None:
    for name in ("a/b", "c"):
        ok(service.post(ACCOUNTS, {"external_id": name}), 201)
        key = ok(service.post(f"{path_of(name)}/api-keys", {"name": "k"}), 201)["api_key"]
        assert client.as_key(key).get("/api/v1/authorize").status_code == 200
    usage = "/api/v1/internal/usage"
    assert len(ok(service.get(usage))) == 2
    [row] = ok(service.get(f"{usage}?account_id=ext:a%2Fb"))
    assert row["account_id"] == ok(service.get(path_of("a/b")))["id"]
    unknown = service.get(f"{usage}?account_id=ext:unknown")
    assert_same_answer(unknown, service.get(f"{usage}?account_id={NO_ID}"))


@for_each("name", ["", "unknown", "%00", "%ff", "%ed%a0%80", "%20", "x" * 300, "%C3", "a%0Ab"])
@pytest.mark.usefixtures("_account_of_the_mended_name")
def test_one_that_no_account_has_is_as_an_unknown_id(service: Client, name: str) -> None:
    body: dict[str, Any] = {"json": {"name": "k"}}
    for method, below, options in (
        *(("GET", "", {}), ("DELETE", "", {}), ("PATCH", "", {"json": {}})),
        *(("GET", "/api-keys", {}), ("POST", "/api-keys", body)),
    ):
        path = f"{ACCOUNTS}/ext:{name}{below}"
        # As servers tell it, byte for byte; Flask's client would mend what is no UTF-8.
        told = {"PATH_INFO": unquote(path, "latin-1"), "RAW_URI": path, "REQUEST_URI": path}
        answer = service.request(method, path, environ_overrides=told, **options)
        error(answer, 404, "NOT_FOUND")
        assert_same_answer(answer, service.request(method, f"{NO_ACCOUNT}{below}", **options))


def test_faults_of_the_rest_come_first_as_with_an_id(service: Client) -> None:
    for path in (f"{ACCOUNTS}/ext:unknown", NO_ACCOUNT):
        assert set(issues(service.patch(path, {"plan": 1}))) == {("plan",)}
    for text in ("EXT:a", "ex:a", "ext", "extra"):
        assert set(issues(service.get(f"{ACCOUNTS}/{text}"))) == {("account_id",)}


class TestServers:
    """What servers and proxies make of the target."""

    @pytest.fixture
    def made(self, service: Client) -> dict[str, Any]:
        data: dict[str, Any] = ok(service.post(ACCOUNTS, {"external_id": "a/b c"}), 201)
        return data

    def test_one_that_tells_no_target_takes_what_has_no_slash(
        self, service: Client, made: dict[str, Any]
    ) -> None:
        untold = {"environ_overrides": {"RAW_URI": "", "REQUEST_URI": ""}}
        assert made["external_id"] == "a/b c"
        error(service.get(path_of("a/b c"), **untold), 404, "NOT_FOUND")
        other = ok(service.post(ACCOUNTS, {"external_id": "Zoë%2F ?"}), 201)
        assert ok(service.get(path_of("Zoë%2F ?"), **untold)) == other
        assert ok(service.get(f"{path_of('Zoë%2F ?')}/api-keys", **untold)) == []

    @for_each("start", ["http://ragauth.test", "HTTPS://x:1", ""])
    def test_the_target_may_be_absolute_and_have_a_query(
        self, service: Client, made: dict[str, Any], start: str
    ) -> None:
        target = f"{start}{path_of('a/b c')}?x=/"
        told = {"environ_overrides": {"RAW_URI": target}}
        assert issues(service.get(f"{path_of('a/b c')}?x=/", **told)) == {("x",): "Unknown field"}
        assert ok(service.get(path_of("a/b c"), **told)) == made

    @pytest.mark.parametrize("target", ["/", "*", "/other", "/api/v1%2finternal/accounts/ext:a"])
    def test_a_target_that_is_not_the_paths_decides_nothing(
        self, service: Client, target: str
    ) -> None:
        made = ok(service.post(ACCOUNTS, {"external_id": "a"}), 201)
        told = {"environ_overrides": {"RAW_URI": target}}
        assert ok(service.get(f"{ACCOUNTS}/ext:a", **told)) == made

    @pytest.fixture(params=["/auth", "", "/api/v"])
    def mounted(
        self, request: pytest.FixtureRequest, make_app: Callable[..., Flask]
    ) -> tuple[Client, str]:
        app = make_app()
        assert isinstance(app.wsgi_app, Forwarded)
        app.wsgi_app = Forwarded(  # type: ignore[method-assign]
            app.wsgi_app.application, trusted_proxies=0, mounted_at=request.param
        )
        return Client(app), request.param

    def test_below_a_mount_point(
        self, service: Client, made: dict[str, Any], mounted: tuple[Client, str]
    ) -> None:
        client, prefix = mounted
        path = path_of("a/b c")
        assert unquote(path) != path
        headers = service.headers
        # As it comes to the server, and as a proxy passes it on that has taken the prefix off.
        for target in (f"{prefix}{path}", path):
            assert ok(client.get(target, headers=headers)) == made


def test_no_log_line_has_it(
    client: Client, service: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    """S27: it may be a person's address."""
    name = "ada.lovelace@example.com"
    ok(service.post(ACCOUNTS, {"external_id": name}), 201)
    for path in (path_of(name), f"{ACCOUNTS}/ext:{name}", f"{path_of(name)}/api-keys"):
        assert service.get(path).status_code == 200
    log = capfd.readouterr().err
    assert f"{ACCOUNTS}/ext:***/api-keys" in log
    assert "lovelace" not in log
    assert client.get(f"{ACCOUNTS}/ext:{name}").status_code == 401
    for wrong in (f"/EXT:{name}", f"//ext:{name}", f"/ext:a/b/{name}", f"/ext:a/api-keys/{name}"):
        assert service.get(f"{ACCOUNTS}{wrong}").status_code in {400, 404}
    assert service.get(f"/api/v1/internal/account/ext:{name}/").status_code == 404
    assert "lovelace" not in capfd.readouterr().err
