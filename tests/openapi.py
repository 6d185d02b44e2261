"""Whether a document is one of OpenAPI."""

from typing import Any


def assert_valid(document: dict[str, Any]) -> None:
    """Fail with the first place that OpenAPI 3.1 does not allow."""
    # Only here: it loads for a quarter of a second.
    from openapi_spec_validator import OpenAPIV31SpecValidator  # noqa: PLC0415

    OpenAPIV31SpecValidator(document).validate()
