"""URLs from outside: what is shown of them, and which may be links."""

import pytest

from ragauth.security.outside_urls import LONGEST, as_words, inert_text, inert_url, is_plain
from tests.cases import for_each
from tests.factories.api_keys import unknown_key

PLAIN = [
    "https://github.com/octocat/hello/blob/1a2b/app.py#L10-L12",
    "http://example.com",
    "https://ghe.example.com:8443/a/b?c=%20d&e=f",
]
STRANGE = [
    "https://github.com@evil.test/",
    "https://github.com:x@evil.test/",
    "https://github.com/a b",
    "https://github.com/\u202e",
    "https://gïthub.com/",
    'https://github.com/"><img>',
    "https:///x",
    "HTTPS://github.com/",
    "https://github.com\\@evil.test",
    f"https://github.com/{'x' * LONGEST}",
]
NOT_OF_THE_WEB = ["javascript:alert(1)", "data:text/html,x", "ftp://a/", "//a", "", "https://"]


@pytest.mark.parametrize("url", PLAIN)
def test_a_plain_one_is_kept_as_it_is(url: str) -> None:
    assert inert_url(url) == url
    assert is_plain(url)


@for_each("url", STRANGE)
def test_a_strange_one_is_no_link(url: str) -> None:
    """S46: all of a link is what its reader takes it for."""
    shown = inert_url(url)
    assert not is_plain(url)
    assert shown is None or (len(shown) <= LONGEST and "\u202e" not in shown)


@for_each("url", NOT_OF_THE_WEB)
def test_what_is_not_of_the_web_is_not_shown(url: str) -> None:
    assert inert_url(url) is None
    assert inert_url(None) is None


def test_no_program_makes_a_link_of_words() -> None:
    assert as_words("https://a.test/b:c") == "https[:]//a.test/b:c"


def test_credentials_are_taken_out_and_the_rest_is_cut() -> None:
    """S27"""
    key = unknown_key()
    assert inert_url(f"https://a.test/{key}/x") == "https://a.test/***/x"
    assert inert_text("\x1b" * 100, longest=50) == ("\\x1b" * 100)[:50]
