"""The blueprint that the modules of this face hang their routes on."""

from flask import Blueprint

ragchats = Blueprint("compat_ragchats", __name__)
