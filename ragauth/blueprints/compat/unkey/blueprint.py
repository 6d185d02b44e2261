"""The blueprint that the modules of this face hang their routes on."""

from flask import Blueprint

unkey = Blueprint("compat_unkey", __name__)
