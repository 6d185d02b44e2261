"""The blueprint that the modules of this folder hang their routes on."""

from flask import Blueprint

internal = Blueprint("internal", __name__)
