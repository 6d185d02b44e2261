"""What others look for at a place that is known beforehand (RFC 8615)."""

from flask import Blueprint, Response, request

from ragauth.services.sessions import signing_keys
from ragauth.web.endpoint import declared
from ragauth.web.envelope import JSON_TYPE, encode_json
from ragauth.web.guards import public

wellknown = Blueprint("wellknown", __name__)
TAG = "Token verification"


@wellknown.get("/.well-known/jwks.json")
@declared(guard=public, media_type=JSON_TYPE)
def jwks() -> Response:
    """The keys that access tokens can be verified with: a bare key set (RFC 7517, section 5)."""
    response = Response(encode_json({"keys": signing_keys.publish()}), content_type=JSON_TYPE)
    response.cache_control.public = True
    response.cache_control.max_age = signing_keys.PUBLISHED_SECONDS
    response.add_etag()
    response.make_conditional(request)
    return response
