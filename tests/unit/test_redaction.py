"""Credentials are taken out of what a client sent, wherever it is cut (S27)."""

from ragauth.security.key_format import new_key
from ragauth.security.redaction import redact_credentials, redact_path
from tests.cases import for_each

KEY = new_key("rag", "live")
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhY2NfMDEifQ." + "c2lnbmF0dXJl" * 7
CREDENTIALS = [
    KEY,
    new_key("acme", "svc"),
    new_key("rag", "pub"),
    new_key("rag", "rst"),
    new_key("rag", "acme-eu_2"),
    TOKEN,
]
SURROUNDINGS = [
    ("", ""),
    ("id-", ""),
    ("X", "!"),
    ("a b ", " c"),
    ("eyJ ", ".x"),
    ("eyJ.", ".x"),
    ("live_", "_live_"),
    ("é", "é"),
]


class TestCredentials:
    @for_each("secret", CREDENTIALS)
    @for_each(("before", "after"), SURROUNDINGS)
    def test_one_is_taken_out_of_any_text(self, secret: str, before: str, after: str) -> None:
        """S27: with whatever stands around it."""
        shown = redact_credentials(before + secret + after, longest=1000)
        assert secret[-30:] not in shown
        assert "***" in shown

    @for_each("secret", CREDENTIALS)
    def test_no_part_of_one_is_left_where_the_text_is_cut(self, secret: str) -> None:
        """S27: half a key is too much."""
        for length in range(len(secret)):
            shown = redact_credentials("-" * (100 - length) + secret, longest=100)
            assert len(shown) <= 100
            # What every key of its kind begins with is no secret.
            assert not set(_pieces(secret[12:])) & set(_pieces(shown)), shown

    @for_each("secret", CREDENTIALS)
    def test_every_one_of_many_is_taken_out(self, secret: str) -> None:
        keys = [new_key("rag", "live") for _ in range(20)]
        glued = "".join(keys)
        text = f"{glued}{secret} {secret},{TOKEN}{secret}.{secret} {secret}{glued}"
        shown = redact_credentials(text, longest=10_000)
        for credential in (secret, *keys):
            assert credential[-30:] not in shown

    @for_each("secret", CREDENTIALS)
    def test_a_path_has_none(self, secret: str) -> None:
        """S27."""
        for length in range(0, 400, 7):
            shown = redact_path("/" + "a/" * (length // 2) + secret + "/b")
            assert not set(_pieces(secret)) & set(_pieces(shown)), shown
            assert len(shown) <= 403


@for_each(
    "text",
    [
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "a_rather_long_name_of_a_field_that_is_live_and_tested",
        "eyJ is how the tokens of RFC 7519 begin, all of them",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert redact_credentials(text, longest=400) == text
    assert redact_credentials(text, longest=40) == text[:40]


def _pieces(text: str) -> list[str]:
    """Each eight characters that follow one another."""
    return [text[start : start + 8] for start in range(len(text) - 7)]
