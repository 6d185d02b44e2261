"""Permissions: scopes that somebody has described. There are no roles."""

from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields

from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.fields import PERMISSION, PrefixedId, Slug
from ragauth.blueprints.compat.unkey.key_schemas import UnkeyPermission
from ragauth.blueprints.compat.unkey.schemas import UnkeyNothing, UnkeySchema
from ragauth.errors import NoSuchScope, ScopeTaken
from ragauth.models import DeclaredScope
from ragauth.models.base import Page
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Cursor, Text, Whole
from ragauth.security.identifiers import decode_id
from ragauth.security.scopes import KEYS
from ragauth.services.operators import declared_scopes
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key
