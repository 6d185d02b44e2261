"""The promises of the security document, tried on every face."""

import json
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from gunicorn.http.errors import InvalidChunkSize
from werkzeug.test import TestResponse

from ragauth.services.accounts.hashing_gate import PLACES, hashing_gate
from tests.api.broken_bodies import broken_body
from tests.applications import SECRET_KEY
from tests.clients import PASSWORD, Client, assert_same_answer, ok
from tests.compat.faces import FACES, FaceCase, Route
from tests.factories.api_keys import make_service_key, mistyped, unknown_key
from tests.factories.hashing import ask_beside_flood
from tests.factories.tokens import sign, sign_hmac, signing_key, split_token, unsigned

JSON = "application/json"
ABSENT = object()
every_face = pytest.mark.parametrize("face", FACES, ids=str)
every_face_with_logins = pytest.mark.parametrize(
    "face", [face for face in FACES if face.has_logins], ids=str
)


def ask(caller: Client, route: Route, **options: object) -> TestResponse:
    options = options or ({"json": route.body} if route.body else {})
    return caller.request(route.method, route.path, **options)


def assert_refused(face: FaceCase, response: TestResponse, *statuses: int) -> None:
    assert response.status_code in statuses, f"{response.status_code} {response.text}"
    face.assert_refused(response)


@pytest.fixture
def callers(faces: Client) -> dict[str | None, Client]:
    """Who a route lets in, by the credential it asks for."""
    member = faces.sign_up()
    service_key = make_service_key(faces.app, "verify", "keys", "accounts", "usage")
    return {
        None: faces,
        "token": member.client,
        "key": member.key_client,
        "service": faces.as_user(service_key),
    }


@every_face
class TestCredentials:
    def test_every_guarded_route_asks_before_it_reads(self, faces: Client, face: FaceCase) -> None:
        guarded = [route for route in face.routes if route.credential is not None]
        for route in guarded:
            for path in (route.path, f"{route.path}/"):
                response = faces.request(route.method, path, data=b"{", content_type="text/plain")
                assert_refused(face, response, 401)

    def test_forged_and_foreign_tokens_are_refused(self, faces: Client, face: FaceCase) -> None:
        """S11, S12: signature, algorithm, header and type are all required."""
        member = faces.sign_up()
        header, claims = split_token(member.token)
        key = signing_key(faces.app)
        another_key = ec.generate_private_key(ec.SECP256R1())
        forged = [
            *("garbage", "a.b.c", "", "..", member.refresh_token, member.api_key),
            member.token[:-2],
            sign(header, claims, another_key),
            sign_hmac({**header, "alg": "HS256"}, claims, SECRET_KEY),
            sign({**header, "alg": "none"}, claims, key),
            unsigned({**header, "alg": "none"}, claims),
            sign({**header, "kid": "unknown"}, claims, key),
            sign({**header, "jku": "https://evil.test/jwks"}, claims, key),
            sign(header, {**claims, "aud": "other"}, key),
            sign(header, {**claims, "type": "refresh"}, key),
            sign(header, {**claims, "sub": faces.sign_up().id}, key),
            sign(header, {name: claims[name] for name in claims if name != "sid"}, key),
            make_service_key(faces.app, "verify"),
        ]
        for route in face.guarded_by_token:
            for token in forged:
                assert_refused(face, ask(faces.as_user(token), route), 401)
            for authorization in (", ,", "Basic YTpi", "Bearer", "Bearer \u00e9", "Bearer a b"):
                caller = Client(faces.app, {"Authorization": authorization})
                assert_refused(face, ask(caller, route), 401)

    def test_dead_and_foreign_keys_are_refused(self, faces: Client, face: FaceCase) -> None:
        """S20: a dead key is refused from the moment the answer that killed it was sent."""
        member = faces.sign_up()
        dead = member.create_key()
        ok(member.client.delete(f"/api/auth/api-keys/{dead['id']}"), 204)
        keys = [
            *("garbage", "rst_", "rst_" + "x" * 36, mistyped(member.api_key), dead["api_key"]),
            *(unknown_key(), unknown_key("rst_"), member.token, member.refresh_token),
            *("rag_live_" + "\u00e9" * 36, member.api_key + "0", member.api_key[:-1]),
        ]
        for route in face.guarded_by_key + face.guarded_by_service:
            for key in keys:
                assert_refused(face, ask(faces.as_key(key), route), 401)
            both = {"X-API-Key": member.api_key, "Authorization": f"Bearer {dead['api_key']}"}
            assert_refused(face, ask(Client(faces.app, both), route), 401)

    def test_an_ended_session_is_dead_at_once(self, faces: Client, face: FaceCase) -> None:
        """S14: logout takes effect on the next request."""
        member = faces.sign_up()
        ok(member.client.post("/api/auth/logout"), 204)
        for route in face.guarded_by_token:
            assert_refused(face, ask(member.client, route), 401)

    def test_the_example_tokens_of_the_documents_open_nothing(
        self, faces: Client, face: FaceCase
    ) -> None:
        """S5: no default account, no default secret."""
        for credential in ("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9...", "rag_live_abc123..."):
            for route in face.routes:
                if route.credential is not None:
                    assert_refused(face, ask(faces.as_user(credential), route), 401)
        for key in ("rag_live_abc123def456", "rst_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5"):
            for route in face.guarded_by_key + face.guarded_by_service:
                assert_refused(face, ask(faces.as_key(key), route), 401)


@every_face
class TestBodies:
    def test_no_odd_value_of_a_field_is_taken_or_breaks_anything(
        self, callers: dict[str | None, Client], face: FaceCase
    ) -> None:
        """S29: what must never reach a service is refused in the face's words."""
        odd = [
            5,
            1.5,
            True,
            [],
            ["x"],
            {},
            {"x": 1},
            "\0",
            "a\0b",
            "\ud800",
            "x\udfff",
            "x" * 70_000,
        ]
        for route in face.with_body:
            for name in route.body:
                for value in odd:
                    data = json.dumps({**route.body, name: value}).encode()
                    response = ask(callers[route.credential], route, data=data, content_type=JSON)
                    assert_refused(face, response, face.invalid_status, 413)

    def test_null_and_a_missing_field_are_faults_where_one_is_required(
        self, callers: dict[str | None, Client], face: FaceCase
    ) -> None:
        for route in face.with_body:
            for body in ({}, dict.fromkeys(route.body)):
                response = ask(callers[route.credential], route, json=body)
                # An agent of nobody's is 404: a key's name may be left out.
                assert_refused(face, response, face.invalid_status, 404)

    def test_unknown_fields_are_refused_and_nobody_sets_a_plan(
        self, callers: dict[str | None, Client], face: FaceCase
    ) -> None:
        """S26: unknown fields are refused: nobody sets `plan` by themselves."""
        for route in face.with_body:
            if route.is_open:
                continue
            for extra in (
                {"plan": "scale"},
                {"is_active": True},
                {"unbranded_tag": "rst"},
                {"": 1},
            ):
                response = ask(callers[route.credential], route, json={**route.body, **extra})
                assert_refused(face, response, face.invalid_status)
            response = callers[route.credential].request(
                route.method, f"{route.path}?plan=scale", json=route.body
            )
            assert_refused(face, response, face.invalid_status)
        assert ok(callers["token"].get("/api/auth/me"))["plan"] == "trial"

    def test_only_one_json_object_of_64_kib_is_read(
        self, callers: dict[str | None, Client], face: FaceCase
    ) -> None:
        """S29: bodies and nesting are bounded."""
        for route in face.with_body:
            caller = callers[route.credential]
            for data in (
                *(b"{", b"null", b"[]", b'"x"', b"1", b"\xff", b"NaN", b'{"a":1,"a":1}'),
                *(b"[" * 60_000, b'{"a":' * 10_000, b'{"name":' + b"[" * 30_000),
            ):
                response = ask(caller, route, data=data, content_type=JSON)
                assert_refused(face, response, face.invalid_status)
            huge = b'{"x": "' + b"x" * 65_536 + b'"}'
            assert_refused(face, ask(caller, route, data=huge, content_type=JSON), 413)
            plain = ask(caller, route, data=json.dumps(route.body), content_type="text/plain")
            assert_refused(face, plain, 415)

    def test_a_body_that_the_server_cannot_read_is_a_fault_of_the_client(
        self,
        callers: dict[str | None, Client],
        face: FaceCase,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """S29: malformed chunks, and clients that are gone, in the face's words."""
        # A login is then looked at before the application is asked.
        monkeypatch.setattr(hashing_gate, "_taken", PLACES)
        for route in face.with_body:
            for fault in (InvalidChunkSize(b"zz"), ConnectionResetError()):
                for length in ("", "20"):
                    response = ask(
                        callers[route.credential],
                        route,
                        content_type=JSON,
                        environ_overrides=broken_body(fault, length),
                    )
                    assert_refused(face, response, face.invalid_status)

    def test_strange_ids_and_paths_are_refused_in_the_faces_form(
        self, callers: dict[str | None, Client], face: FaceCase
    ) -> None:
        caller = callers["token"]
        for path in ("", "/nothing", "/auth", "/auth/nothing", "/%00", "/é", "/auth//login"):
            for method in ("GET", "DELETE"):
                assert_refused(face, caller.request(method, face.prefix + path), 401, 404)
        for route in face.with_body:
            response = caller.request("PROPFIND", route.path)
            assert_refused(face, response, 405)
            assert "POST" in response.headers["Allow"]


@every_face
class TestSecrets:
    def test_no_secret_comes_back_in_a_refusal_or_stands_in_the_log(
        self, faces: Client, face: FaceCase, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """S27, S28: no secret in an error or a log line, no line forged by input."""
        member = faces.sign_up()
        secrets = [member.token, member.refresh_token, member.api_key, PASSWORD, "hunter2hunter2"]
        texts = []
        for route in face.routes:
            for caller in (faces, member.client, faces.as_user(member.api_key), member.key_client):
                for body in ({**route.body, "extra": 1}, dict.fromkeys(route.body, member.token)):
                    response = caller.request(
                        route.method,
                        route.path,
                        json={**body, "password": "hunter2hunter2"},
                        headers={"User-Agent": "x\\n{}", "X-Request-Id": "a\tb"},
                    )
                    if response.status_code >= 400:
                        texts.append(response.text + str(response.headers))
        log = capfd.readouterr().err
        assert len(texts) > 10
        for secret in secrets:
            assert secret not in log
            assert not [text for text in texts if secret in text]
        assert all(isinstance(json.loads(line), dict) for line in log.splitlines())


@every_face_with_logins
def test_a_flood_of_logins_is_turned_away_in_the_faces_words(
    faces: Client, face: FaceCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S10: by the gate, or for a browser by the application, in one answer."""
    monkeypatch.setattr(hashing_gate, "_taken", PLACES)
    login = next(route for route in face.routes if route.path.endswith("/login"))
    for path in (login.path, f"{login.path}/"):
        response = faces.post(path, login.body)
        assert_refused(face, response, 429)
        assert response.headers["Retry-After"] == "1"
        other = faces.post(path, login.body, headers={"Origin": "https://other.test"})
        assert_same_answer(response, other)


@every_face_with_logins
def test_a_login_takes_a_place_of_a_flood_that_holds_them_all(
    faces: Client, face: FaceCase
) -> None:
    """S43: hashed, and refused for its password alone."""
    login = next(route for route in face.routes if route.path.endswith("/login"))
    response = ask_beside_flood(lambda: faces.post(login.path, login.body))
    assert_refused(face, response, 401)


class TestOwnership:
    """S25: another account's thing and no thing are one answer."""

    def answers(self, caller: Client, method: str, paths: list[str]) -> Iterator[TestResponse]:
        for path in paths:
            yield caller.request(method, path, **({"json": {}} if method == "POST" else {}))

    def test_anothers_key_at_rst(self, faces: Client) -> None:
        """S25: the two answers are the same to the byte."""
        owner, stranger = faces.sign_up(), faces.sign_up()
        made = owner.client.post("/compat/rst/v1/auth/api-keys", {"name": "x"}).get_json()
        paths = [
            f"/compat/rst/v1/auth/api-keys/{key_id}"
            for key_id in (made["id"], "01890a5d-ac96-774b-bcce-b302099a8057")
        ]
        others, nothing = self.answers(stranger.client, "DELETE", paths)
        assert (others.status_code, others.data) == (404, nothing.data)
        assert faces.as_key(made["raw_key"]).get("/compat/rst/v1/me").status_code == 200
        assert len(stranger.client.get("/compat/rst/v1/auth/api-keys").get_json()) == 1

    def test_anothers_agent_at_ragchats(self, faces: Client) -> None:
        """S25: the two answers are the same to the byte."""
        owner, stranger = faces.sign_up(), faces.sign_up()
        agents = "/compat/ragchats/api/agents"
        made = owner.client.post(agents, {"name": "x"}).get_json()
        for method in ("GET", "POST"):
            paths = [
                f"{agents}/{agent_id}/api-keys"
                for agent_id in (made["id"], "01890a5d-ac96-774b-bcce-b302099a8057")
            ]
            others, nothing = self.answers(stranger.client, method, paths)
            assert (others.status_code, others.data) == (404, nothing.data)
        assert stranger.client.get(agents).get_json() == []

    def test_a_login_tells_nothing_of_who_has_an_account(self, faces: Client) -> None:
        """S6: an unknown account and a wrong password are one answer."""
        member = faces.sign_up(username="ada1815")
        for path, name, known in [
            ("/compat/ragchats/api/auth/login/", "email", member.email),
            ("/compat/rst/v1/auth/login", "username", "ada1815"),
            ("/compat/rst/v1/auth/login", "username", member.email),
        ]:
            bodies = [
                faces.post(path, {name: who, "password": "wrong password"}).data
                for who in (known, "nobody", "no@body.example", "")
            ]
            assert set(bodies) == {bodies[0]}
