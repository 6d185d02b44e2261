"""The pure modules: limits, refusals, metadata and spans in words, as the browser says them."""

from typing import Any

from tests.dashboard.conftest import in_cookie_mode
from tests.dashboard.place import Visitor

NOW = "2026-03-10T12:00:00Z"
KEYS_MINUTE = {
    "limit": "requests_per_minute",
    "meter": "requests",
    "window": "minute",
    "of": "key",
    "size": 10,
    "resets_at": "2026-03-10T12:00:42Z",
}
PLANS_MONTH = {
    "limit": "tokens_per_month",
    "meter": "tokens",
    "window": "month",
    "of": "account",
    "size": 200_000,
    "resets_at": "2026-03-13T12:00:00Z",
}

REFUSALS: list[tuple[dict[str, Any], int, str]] = [
    (
        KEYS_MINUTE,
        0,
        "There is not enough left of this key's own limit of 10 requests a minute."
        " It is renewed in 42 seconds.",
    ),
    # What the answer says of the wait does not depend on the computer's clock.
    (
        KEYS_MINUTE,
        30,
        "There is not enough left of this key's own limit of 10 requests a minute."
        " It is renewed in 30 seconds.",
    ),
    (
        PLANS_MONTH,
        0,
        "There is not enough left of your plan's 200,000 tokens a month. It is renewed in 3 days.",
    ),
    (
        {**PLANS_MONTH, "window": "250ms", "size": 1, "resets_at": "2026-03-10T11:59:00Z"},
        0,
        "There is not enough left of your plan's 1 token in 250 ms. It is renewed by now.",
    ),
    (
        {**KEYS_MINUTE, "window": "total", "resets_at": None},
        0,
        "There is not enough left of this key's own limit of 10 requests in all."
        " It is never renewed. Raise the limit, or use another key.",
    ),
    (
        {**PLANS_MONTH, "window": "total", "resets_at": None},
        0,
        "There is not enough left of your plan's 200,000 tokens in all."
        " It is never renewed. Move to a larger plan.",
    ),
    # More than the whole size never fits.
    (
        {name: value for name, value in KEYS_MINUTE.items() if name != "resets_at"},
        0,
        "The request takes more than this key's own limit of 10 requests a minute allows at once."
        " Waiting does not help: send less.",
    ),
    (
        {name: value for name, value in PLANS_MONTH.items() if name != "resets_at"} | {"size": 0},
        0,
        "Nothing is allowed: your plan's 0 tokens a month. Waiting does not help.",
    ),
]
NO_TEST_KEYS = {
    "code": "USAGE_LIMIT_EXCEEDED",
    "message": "The plan has no test keys",
    "details": {
        "limit": "requests_per_month",
        "meter": "requests",
        "window": "month",
        "of": "account",
        "size": 0,
    },
}
LEFT: list[tuple[dict[str, Any], str]] = [
    (
        {"window": "minute", "used": 2, "resets_at": "2026-03-10T12:00:12Z"},
        "8 of 10 requests left this minute, renewed in 12 seconds",
    ),
    (
        {"window": "total", "used": 10, "resets_at": None},
        "0 of 10 requests left in all, never renewed",
    ),
    (
        {"window": "day", "used": 0, "resets_at": "2026-03-11T00:00:00Z"},
        "10 of 10 requests left today, renewed in 12 hours",
    ),
    # It opens with the first request.
    (
        {"window": "10s", "used": 0, "resets_at": "2026-03-10T12:00:10Z"},
        "10 of 10 requests left in these 10 seconds",
    ),
    (
        {"window": "7200s", "used": 1, "resets_at": "2026-03-10T13:00:00Z"},
        "9 of 10 requests left in these 2 hours, renewed in 60 minutes",
    ),
]
METADATA: list[tuple[str, Any]] = [
    (" \n", {"value": None}),
    ('{"a": [1, {"b": null}], "big": "12345678901234567890"}', None),
    ('{\n  "a": 1,\n  b: 2\n}', "This is not JSON: look at line 3, at b: 2 … Names and texts"),
    ('{"a": 1', "This is not JSON: it ends too early. Is a brace or a quote missing?"),
    ("nonsense", "This is not JSON: look at line 1, at nonsense …"),
    ('{"a": [1, {"b": c-17}]}', "This is not JSON: look at line 1, at c-17}]} …"),
    ('{"a": "\\u12",\n"b": 1,}', "This is not JSON: look at line 1, at "),
    ('{"a": 1}\n\n{}', "This is not JSON: look at line 3, at {} …"),
    ('{"a" 1}', "This is not JSON: look at line 1, at 1} …"),
    ('{"a": 01}', "This is not JSON: look at line 1, at 01} …"),
    ('{"a": "1}', 'This is not JSON: look at line 1, at "1} …'),
    ("[1]", "Write an object, in curly braces"),
    ("null", "Write an object, in curly braces"),
    # A browser knows no whole number of that size: it would be stored as another one.
    (
        '{"id": 12345678901234567890}',
        "A browser would change 12345678901234567890: put it in quotes",
    ),
]


@in_cookie_mode
def test_limits_and_metadata_are_said_in_words(visitor: Visitor) -> None:

    def call(module: str, function: str, *arguments: Any) -> Any:
        script = "async ([module, name, list]) => (await import(`/js/${module}.js`))[name](...list)"
        return visitor.page.evaluate(script, [module, function, list(arguments)])

    now = visitor.page.evaluate("(moment) => Date.parse(moment)", NOW)
    for details, wait, words in REFUSALS:
        assert call("limits", "isRefusal", details)
        assert call("limits", "refusalText", details, wait, now) == words
    for details in ({}, {"limit": "max_keys", "size": 5}, {**KEYS_MINUTE, "size": "10"}):
        assert not call("limits", "isRefusal", details)
    no_test_keys = {"error": {**NO_TEST_KEYS}, "waitSeconds": 0}
    assert "no test keys. Use a live key" in call("words", "explainAnswer", no_test_keys)
    for left, words in LEFT:
        quota = {"meter": "requests", "size": 10, "remaining": 10 - left["used"], **left}
        assert call("limits", "leftText", quota, now) == words
    for text, expected in METADATA:
        found = call("metadata", "readMetadata", text)
        if isinstance(expected, str):
            assert found["fault"].startswith(expected)
        else:
            assert "fault" not in found
            assert (
                call("metadata", "readMetadata", call("metadata", "metadataText", found["value"]))
                == found
            )
    for text, size in {
        "500,000": 500_000,
        "1 000": 1000,
        "10": 10,
        "10.5": None,
        "-1": None,
    }.items():
        assert call("views/limit-fields", "sizeOf", text) == size


ANSWERS: list[tuple[dict[str, Any], str]] = [
    (
        {"code": "RATE_LIMIT_EXCEEDED", "details": KEYS_MINUTE},
        "this key's own limit of 10 requests a minute. It is renewed in 7 seconds.",
    ),
    (
        {"code": "AUTHORIZATION_ERROR", "details": {"reason": "insufficient_scope"}},
        "has not the scope",
    ),
    (
        {"code": "USAGE_LIMIT_EXCEEDED", "details": {"limit": "max_keys", "size": 5}},
        "Your plan has room for 5 live API keys",
    ),
    # It is not about keys.
    (
        {"code": "USAGE_LIMIT_EXCEEDED", "details": {"limit": "requests_per_month", "size": 0}},
        "The words of the server",
    ),
    (
        {"code": "ODD", "details": {"reason": "constructor", "limit": "toString"}},
        "The words of the server",
    ),
]


@in_cookie_mode
def test_a_pasted_answer_is_explained(visitor: Visitor) -> None:
    """As a terminal shows it, with its head; what is none is not."""
    script = """async ([head, error]) => {
      const { readAnswer } = await import("/js/limits.js");
      const { explainAnswer } = await import("/js/words.js");
      return explainAnswer(readAnswer(head + JSON.stringify({ error })));
    }"""
    head = "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\n\r\n"
    for error, words in ANSWERS:
        told = {"message": "The words of the server", **error}
        assert words in visitor.page.evaluate(script, [head, told])
    none = """import("/js/limits.js").then((m) => TEXTS.map(m.readAnswer))"""
    texts = '["{", "{}", "500", "[{\\"error\\": 1}]", ""]'
    assert visitor.page.evaluate(none.replace("TEXTS", texts)) == [None] * 5
