"""The form that every failure of the contract has."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self


class RagauthError(Exception):
    """A failure with a place in the contract."""

    code: str = "INTERNAL_ERROR"
    status: int = 500
    message: str = "Internal server error"
    # A failure that must keep what it wrote (a session ended because its token was reused)
    # is committed before it is raised on.
    keeps_changes: ClassVar[bool] = False

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or type(self).message
        self.details: dict[str, Any] = dict(details or {})
        self.headers: dict[str, str] = dict(headers or {})
        super().__init__(self.message)

    @classmethod
    def example(cls) -> Self:
        """An instance as a caller may meet it; the OpenAPI document shows it."""
        return cls()
