"""The blueprint that the modules of this face hang their routes on."""

from flask import Blueprint

rst = Blueprint("compat_rst", __name__)
