"""The request as the routes see it: Flask's, but any byte may be in the query."""

from urllib.parse import parse_qsl

from flask import Request as FlaskRequest
from werkzeug.datastructures import ImmutableMultiDict, MultiDict
from werkzeug.utils import cached_property


class Request(FlaskRequest):
    @cached_property
    def args(self) -> MultiDict[str, str]:
        """The query's parameters; a byte that is not UTF-8 is kept as a percent-escape.

        Werkzeug does so for escaped bytes, and raises for the same byte unescaped.
        """
        text = self.query_string.decode(errors="werkzeug.url_quote")
        pairs = parse_qsl(text, keep_blank_values=True, errors="werkzeug.url_quote")
        return ImmutableMultiDict(pairs)
