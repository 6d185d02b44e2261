"""The blueprint that the modules of this folder hang their routes on."""

from flask import Blueprint

auth = Blueprint("auth", __name__)
