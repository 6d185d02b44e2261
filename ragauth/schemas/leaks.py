"""GitHub's secret scanning partner protocol: texts that were found in public, and their labels."""

from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, fields

from ragauth.schemas.about import about
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Text

# As long as a whole body may be: what was published is judged, whatever its length.
_LONGEST = 256 * 1024


class LeakSchema(RequestSchema):
    """A text that was found in public. Fields beside these are ignored: GitHub adds some."""

    json_rules: ClassVar[dict[str, Any]] = {"additionalProperties": True}

    class Meta:
        unknown = EXCLUDE

    token = Text(
        minimum=1,
        maximum=_LONGEST,
        required=True,
        **about("What was found.", "rag_live_0000000000000000000000000000000zzzzz"),
    )
    type = Text(
        minimum=1,
        maximum=_LONGEST,
        required=True,
        **about("GitHub's name for the pattern that it matched.", "acme_api_key"),
    )
    url = Text(
        maximum=_LONGEST,
        load_default=None,
        allow_none=True,
        **about("Where it was found.", "https://github.com/octocat/hello/blob/1a2b3c/app.py"),
    )
    source = Text(
        maximum=_LONGEST,
        load_default=None,
        allow_none=True,
        **about("The kind of place where it was found.", "content"),
    )


class JudgementSchema(Schema):
    """Whether a text that was found is a key of this installation."""

    token_hash = fields.String(
        required=True,
        **about(
            "The SHA-256 of the token, in base64.", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        ),
    )
    token_type = fields.String(required=True, **about("The type, as it was sent.", "acme_api_key"))
    label = fields.String(
        required=True,
        **about(
            "`true_positive` for a key, dead or not; a publishable one is public and no leak.",
            "true_positive",
            enum=["true_positive", "false_positive"],
        ),
    )
