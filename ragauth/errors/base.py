"""The base class of all errors of the contract."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self


class RagauthError(Exception):
    """An error of the contract."""

    code: str = "INTERNAL_ERROR"
    status: int = 500
    message: str = "Internal server error"
    # With an error that must keep changes (a session ended because its token was reused), the
    # transaction is committed before the error is raised further.
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
