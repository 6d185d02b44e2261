"""Web origins in the form in which a browser sends them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragauth.security.origins import canonical_origin, find_canonical_origin
from tests.cases import for_each

SENT_AS = {
    "https://app.example.com": "https://app.example.com",
    "https://App.Example.COM/": "https://app.example.com",
    " HTTPS://a.test:443 ": "https://a.test",
    "http://a.test:80/": "http://a.test",
    "http://a.test:0080": "http://a.test",
    "http://a.test:": "http://a.test",
    "http://a.test:443": "http://a.test:443",
    "https://a.test:8443": "https://a.test:8443",
    "http://localhost:3000": "http://localhost:3000",
    "https://a.test.": "https://a.test.",
    "https://a_b.example": "https://a_b.example",
    "http://127.0.0.1:5173": "http://127.0.0.1:5173",
    "https://[::1]": "https://[::1]",
    "http://[2001:DB8:0:0:0:0:0:1]:8080": "http://[2001:db8::1]:8080",
    "http://[2001:db8:0:1:0:0:0:0]": "http://[2001:db8:0:1::]",
    "http://[::ffff:192.0.2.7]": "http://[::ffff:c000:207]",
    "https://m\u00fcnchen.example": "https://xn--mnchen-3ya.example",
    "https://M\u00dcNCHEN.example": "https://xn--mnchen-3ya.example",
    "https://fa\u00df.example": "https://xn--fa-hia.example",
    "https://\u2615.example": "https://xn--53h.example",
    "https://\uff41\u3002test": "https://a.test",
    "https://xn--mnchen-3ya.example": "https://xn--mnchen-3ya.example",
    "capacitor://localhost": "capacitor://localhost",
    "ionic://localhost": "ionic://localhost",
    "tauri://localhost": "tauri://localhost",
    "app://localhost:3000": "app://localhost:3000",
    "chrome-extension://ABCDEFGHijklmnopabcdefghijklmnop": (
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop"
    ),
    "moz-extension://0f9d2f4c-4f4a-4b8e-9a0c-1b2c3d4e5f60": (
        "moz-extension://0f9d2f4c-4f4a-4b8e-9a0c-1b2c3d4e5f60"
    ),
}
NEVER_SENT = [
    *("", " ", "/", "a.test", "//a.test", "https:a.test", "https:/a.test", "https://", "https:///"),
    *("*", "null", "NULL", "https://*", "https://*.example.com", "*.example.com", "http://a.*"),
    *("https://a.test/x", "https://a.test//", "https://a.test?x", "https://a.test#x"),
    *("https://u@a.test", "https://u:p@a.test", "https://a.test, https://b.test"),
    *("https://a.test https://b.test", "https://a b.test", "https://a\\b", "https://a%2ftest"),
    *("https://a.test:0", "https://a.test:65536", "https://a.test:x", "https://a.test:-1"),
    *("https://a..b", "https://.a", f"https://{'a' * 64}.test", f"https://{'a.' * 130}b"),
    *("http://127.1", "http://0x7f.0.0.1", "http://2130706433", "http://1.2.3.4.5", "http://1.2"),
    *("http://127.0.0.01", "http://256.0.0.1", "http://a.1", "http://1.2.3.4.", "http://a.0x"),
    *("https://[::1", "https://::1", "https://[::g]", "https://[fe80::1%eth0]", "https://[]"),
    *("https://[::1]x", "https://[1.2.3.4]", "https://a\u202eb.test", "https://\u200b.test"),
    *("https://a\x00.test", "https://a.test\x00", "https://a\n.test", f"https://{'a.' * 300}test"),
    *("file:///", "file://host", "data:text/html,x", "javascript:alert(1)", "blob:https://a.test"),
    *("ws://a.test", "wss://a.test", "ftp://a.test", "about:blank", "mailto:a@b.test", "1a://b"),
]


@for_each(("written", "sent"), SENT_AS.items())
def test_it_is_brought_to_the_form_that_browsers_send(written: str, sent: str) -> None:
    assert canonical_origin(written) == sent
    assert canonical_origin(sent) == sent


@for_each("text", NEVER_SENT)
def test_what_no_browser_sends_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w{2}"):
        canonical_origin(text)
    assert find_canonical_origin(text) is None


@given(st.text(max_size=320) | st.text(alphabet="htps:/[]*.@aZ09-\u00e9\u0627%", max_size=40))
def test_nothing_makes_it_fail_otherwise(text: str) -> None:
    for written in (text, f"https://{text}"):
        origin = find_canonical_origin(written)
        assert origin is None or (origin.isascii() and canonical_origin(origin) == origin)
