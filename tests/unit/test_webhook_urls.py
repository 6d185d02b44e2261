"""The URLs of webhooks: one form, and nothing that is read in two ways."""

import pytest

from ragauth.security.webhook_urls import MAX_LENGTH, canonical_webhook_url
from tests.cases import for_each


@for_each(
    ("text", "canonical"),
    [
        ("https://hooks.example.com", "https://hooks.example.com/"),
        ("HTTPS://Hooks.Example.COM:443/A?b=C", "https://hooks.example.com/A?b=C"),
        ("https://hooks.example.com.:8443/", "https://hooks.example.com:8443/"),
        ("https://bücher.example/ä?ü=ß", "https://xn--bcher-kva.example/%C3%A4?%C3%BC=%C3%9F"),
        ("https://a.example?x=1", "https://a.example/?x=1"),
        ("https://a.example/%41@b", "https://a.example/%41@b"),
        ("https://93.184.216.34/", "https://93.184.216.34/"),
        ("https://[2606:4700:4700:0::1111]:8443/", "https://[2606:4700:4700::1111]:8443/"),
        ("http://gateway:8000/hooks", "http://gateway:8000/hooks"),
    ],
)
def test_it_has_one_form(text: str, canonical: str) -> None:
    assert canonical_webhook_url(text) == canonical
    assert canonical_webhook_url(canonical) == canonical


@for_each(
    ("text", "words"),
    [
        ("ftp://a.example/", "https://"),
        ("a.example", "https://"),
        ("//a.example/", "https://"),
        ("javascript:alert(1)", "https://"),
        ("https://user@a.example/", "user"),
        ("https://user:password@a.example/", "user"),
        ("https://:@a.example/", "user"),
        ("https://a.example/#x", "fragment"),
        ("https://a.example/ b", "space"),
        (" https://a.example/", "https://"),
        ("https://a.example/\n", "control"),
        ("https://a.example/\0", "control"),
        ("https://a.example\\@b.example/", "URL"),
        ("https:///path", "host"),
        ("https://.", "host"),
        ("https://a..example/", "host"),
        ("https://a.example:0/", "port"),
        ("https://a.example:99999/", "port"),
        ("https://a.example:x/", "URL"),
        ("https://[::1", "URL"),
        ("https://[fe80::1%25eth0]/", "host"),
        ("https://2130706433/", "host"),
        ("https://0x7f.1/", "host"),
        ("https://0177.0.0.1/", "host"),
        ("https://\ud800.example/", "host"),
        ("https://a.example/\ud800", "surrogate"),
        (f"https://a.example/{'ä' * 1900}", "long"),
        (f"https://{'a.' * 300}example/", "host"),
        (f"https://a.example/{'x' * MAX_LENGTH}", "long"),
        ("https://" + "a" * 10_000_000, "long"),
    ],
)
def test_what_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        canonical_webhook_url(text)
