"""What a field means, for the reader of the OpenAPI document."""

from typing import Any

_NONE = object()
#: In the metadata of a field whose example depends on the policy: a request's example has it.
IN_EXAMPLE = "in_example"


def about(description: str, example: Any = _NONE, **keywords: Any) -> dict[str, Any]:
    """The `metadata` of a field: a sentence, an example, further keywords of JSON Schema.

    A field that a request may leave out is in the example of the request if it has one.
    """
    shown = {} if example is _NONE else {"examples": [example]}
    return {"metadata": {"description": description, **shown, **keywords}}
