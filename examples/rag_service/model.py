"""In the place of a language model: it repeats the question, a token at a time."""

import time
from collections.abc import Iterator

_TOKEN_SECONDS = 0.02


def count_tokens(text: str) -> int:
    return len(text.split())


def generate(question: str) -> Iterator[str]:
    for token in ("You", "asked:", *question.split()):
        time.sleep(_TOKEN_SECONDS)
        yield token
