"""POST /api/auth/signup"""

import re
import unicodedata

import pytest

from tests.cases import for_each
from tests.clients import PASSWORD, Client, error, issues, ok

PATH = "/api/auth/signup"


def body(**overrides: object) -> dict[str, object]:
    return {"email": "ada@example.com", "password": PASSWORD, **overrides}


class TestSucceeds:
    def test_it_answers_with_tokens_key_and_account(self, client: Client) -> None:
        data = ok(client.post(PATH, body(name="Ada Lovelace", username="Ada1815")), 201)
        assert set(data) == {
            *("token", "refresh_token", "token_type", "expires_in", "api_key", "account")
        }
        assert data["token_type"] == "Bearer"
        assert 3500 < data["expires_in"] <= 3600
        account = data["account"]
        assert re.fullmatch(r"acc_[0-7][0-9a-hjkmnp-tv-z]{25}", account.pop("id"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", account.pop("created_at"))
        assert account == {
            "email": "ada@example.com",
            "username": "Ada1815",
            "name": "Ada Lovelace",
            "plan": "trial",
            "email_verified": False,
        }

    @pytest.mark.every_database
    def test_the_tokens_and_the_key_work_at_once(self, client: Client) -> None:
        data = ok(client.post(PATH, body()), 201)
        me = ok(client.as_user(data["token"]).get("/api/auth/me"))
        assert me == data["account"]
        assert ok(client.as_key(data["api_key"]).get("/api/v1/me"))["account"] == data["account"]
        ok(client.post("/api/auth/token/refresh", {"refresh_token": data["refresh_token"]}))

    def test_the_key_is_the_primary_one_and_is_shown_once(self, client: Client) -> None:
        """S19: the raw key is in this answer and in no later one."""
        data = ok(client.post(PATH, body()), 201)
        assert re.fullmatch(r"rag_live_[0-9A-Za-z]{36}", data["api_key"])
        listed = client.as_user(data["token"]).get("/api/auth/api-keys")
        (key,) = ok(listed)
        assert key["is_primary"]
        assert key["prefix"] == data["api_key"][:13]
        assert data["api_key"] not in listed.text

    def test_name_and_username_may_be_null(self, client: Client) -> None:
        account = ok(client.post(PATH, body(name=None, username=None)), 201)["account"]
        assert account["name"] is None
        assert account["username"] is None

    def test_the_email_is_given_back_as_it_was_sent_but_trimmed(self, client: Client) -> None:
        account = ok(client.post(PATH, body(email="  Ada@Example.COM\n")), 201)["account"]
        assert account["email"] == "Ada@Example.COM"

    def test_many_may_have_no_username(self, client: Client) -> None:
        ok(client.post(PATH, body()), 201)
        ok(client.post(PATH, body(email="grace@example.com")), 201)

    @for_each(
        "password",
        ["your-secure-password", "secureP@ss123", "a" * 7 + "b", "ж" * 128, " " * 7 + "x"],
    )
    def test_any_password_of_8_to_128_characters_is_taken(
        self, client: Client, password: str
    ) -> None:
        """S2: no composition rules."""
        member = client.sign_up(password=password)
        assert client.log_in(member)["account"]["id"] == member.id

    def test_it_is_in_the_history(self, client: Client) -> None:
        assert client.sign_up().event_names() == ["api_key:created", "account:created"]


class TestRejectsInput:
    @pytest.mark.parametrize(
        "taken",
        [
            "ada@example.com",
            "ADA@EXAMPLE.com",
            " ada@example.com ",
            "\N{FULLWIDTH LATIN SMALL LETTER A}da@example.com",
        ],
    )
    def test_an_address_belongs_to_one_account(self, client: Client, taken: str) -> None:
        client.sign_up(email="ada@example.com")
        response = client.post(PATH, body(email=taken))
        assert error(response, 409, "CONFLICT") == {}
        message = response.get_json()["error"]["message"]
        assert message == "An account with this email already exists"

    def test_a_username_belongs_to_one_account_whatever_its_case(self, client: Client) -> None:
        client.sign_up(username="Ada")
        response = client.post(PATH, body(username="aDA"))
        error(response, 409, "CONFLICT")
        assert "username" in response.get_json()["error"]["message"]

    def test_a_refused_signup_leaves_nothing_behind(self, client: Client) -> None:
        client.sign_up(username="ada")
        error(client.post(PATH, body(username="ada")), 409, "CONFLICT")
        ok(client.post(PATH, body()), 201)

    def test_everything_missing_is_named_at_once(self, client: Client) -> None:
        assert issues(client.post(PATH, {})) == {
            ("email",): "Required",
            ("password",): "Required",
        }

    def test_all_faults_are_named_at_once(self, client: Client) -> None:
        response = client.post(
            PATH,
            {
                "email": "ada",
                "password": "short",
                "name": "x" * 257,
                "username": "a!",
                "plan": "pro",
            },
        )
        assert set(issues(response)) == {
            *(("email",), ("password",), ("name",), ("username",), ("plan",))
        }

    def test_a_weak_password_is_named_beside_the_other_faults(self, client: Client) -> None:
        response = client.post(PATH, {"email": "ada", "password": "password123"})
        assert set(issues(response)) == {("email",), ("password",)}

    @for_each(
        "email",
        [
            *("", " ", "ada", "@example.com", "ada@", "ada@localhost", "ada@example", "a b@x.com"),
            *("ada@@example.com", "ada@example..com", "ada@[127.0.0.1]", "Ada <ada@example.com>"),
            *("ada@example.com, b@example.com", "ada@exam\nple.com"),
            f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.example.com",
            *("ada@-example.com", ".ada@example.com", "ada@example.invalid"),
        ],
    )
    def test_what_is_no_address_is_refused(self, client: Client, email: str) -> None:
        assert set(issues(client.post(PATH, body(email=email)))) == {("email",)}

    @for_each("password", ["", "1234567", "ж" * 129, "\N{LATIN SMALL LIGATURE FFI}"])
    def test_the_length_of_a_password_has_bounds(self, client: Client, password: str) -> None:
        """S1: 8 to 128 code points."""
        assert set(issues(client.post(PATH, body(password=password)))) == {("password",)}

    def test_the_length_counts_after_normalisation(self, client: Client) -> None:
        """S1: three ligatures are nine letters after NFKC."""
        password = "\N{LATIN SMALL LIGATURE FFI}" * 3
        assert len(unicodedata.normalize("NFKC", password)) == 9
        client.sign_up(password=password)

    @for_each("password", ["password", "PassWord", "12345678", "qwertyuiop"])
    def test_a_well_known_password_is_refused_with_the_reason(
        self, client: Client, password: str
    ) -> None:
        """S3: well-known passwords."""
        found = issues(client.post(PATH, body(password=password)))
        assert "well-known" in found["password",]

    @for_each(
        "password", ["ada@example.com", "ADA@example.COM", "AdaLovelace1815", "countess of l."]
    )
    def test_the_own_words_are_no_password(self, client: Client, password: str) -> None:
        """S3: the account's own e-mail, username and name."""
        response = client.post(
            PATH, body(username="AdaLovelace1815", name="Countess of L.", password=password)
        )
        assert "your own" in issues(response)["password",]

    @for_each(
        "username",
        ["", "ab", "x" * 51, "a-b", "ädam", "a b c", "abc\n", "\N{FULLWIDTH DIGIT ONE}23"],
    )
    def test_a_username_is_3_to_50_ascii_letters_and_digits(
        self, client: Client, username: str
    ) -> None:
        assert set(issues(client.post(PATH, body(username=username)))) == {("username",)}

    @for_each("field", ["id", "plan", "email_verified", "status", "created_at", "is_admin"])
    def test_nobody_sets_what_is_not_theirs(self, client: Client, field: str) -> None:
        """S26: unknown fields are refused: nobody sets `plan` by themselves."""
        assert issues(client.post(PATH, body(**{field: "scale"}))) == {(field,): "Unknown field"}
