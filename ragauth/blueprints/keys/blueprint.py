"""The two blueprints that the modules of this folder hang their routes on."""

from flask import Blueprint

manage = Blueprint("keys", __name__)
check = Blueprint("check", __name__)
