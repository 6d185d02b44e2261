"""Routes whose URLs are written as code when one is first built, for the tests make many apps.

Werkzeug compiles two functions for each route at once, which is half of what an application costs.
"""

from collections.abc import Callable

from werkzeug.routing import Rule

_METHOD = "_compile_builder"
_write: Callable[[Rule, bool], Callable[..., tuple[str, str]]] = getattr(Rule, _METHOD)


def write_builders_late() -> None:
    """Let each later route write its builders when they are needed."""
    setattr(Rule, _METHOD, _write_late)


def _write_late(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    written: list[Callable[..., tuple[str, str]]] = []

    def build(own: Rule, **values: object) -> tuple[str, str]:
        if not written:
            written.append(_write(rule, append_unknown))
        return written[0](own, **values)

    return build
