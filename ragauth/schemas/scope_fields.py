"""Scopes in a question and in a key's list: those that the policy in force knows."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import ValidationError

from ragauth.extensions import current_policy
from ragauth.policy import Policy
from ragauth.schemas.fields import Text

#: In characters: of all scopes of one question, with the spaces between them.
LONGEST_SCOPES = 1000
_MOST_NAMED = 20


class AskedScopes(Text):
    """One scope, or several separated by spaces (RFC 6749 section 3.3); loaded as a tuple.

    The policy is the argument `policy` of `deserialize`, or that of the running application.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=LONGEST_SCOPES, **kwargs)

    def _deserialize(
        self,
        value: Any,
        attr: str | None,
        data: Mapping[str, Any] | None,
        policy: Policy | None = None,
        **kwargs: Any,
    ) -> Any:
        names = dict.fromkeys(super()._deserialize(value, attr, data, **kwargs).split(" "))
        policy = policy or current_policy()
        if not all(map(policy.is_known, names)):
            raise ValidationError(_one_of(policy.scopes))
        return tuple(names)


class GivenScope(Text):
    """A scope in a key's list.

    An owner can give the usual ones; with `by_operator` it may be any that is declared.
    """

    def __init__(self, *, by_operator: bool = False, **kwargs: Any) -> None:
        super().__init__(maximum=LONGEST_SCOPES, **kwargs)
        self.by_operator = by_operator

    def choices(self) -> tuple[str, ...]:
        """The scopes that can be given, in the running application."""
        policy = current_policy()
        return tuple(policy.scopes) if self.by_operator else policy.usual_scopes

    def is_given(self, name: str) -> bool:
        return name in self.choices()

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        name = super()._deserialize(*args, **kwargs)
        if not self.is_given(name):
            raise ValidationError(_one_of(self.choices()))
        return name


class ManagedScope(GivenScope):
    """A scope in a managed key's list: with `open_scopes` it need not be declared."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(by_operator=True, **kwargs)

    def is_given(self, name: str) -> bool:
        return current_policy().is_known(name)


def _one_of(names: Iterable[str]) -> str:
    shown = [*names]
    further = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    return f"Must be one of: {', '.join(shown[:_MOST_NAMED])}{further}"
