"""Declared scopes: names of scopes that a service of the operator's has described."""

import uuid
from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base


class DeclaredScope(Base):
    """A scope that managed keys may have, beside those of the policy file."""

    __tablename__ = "declared_scopes"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    title: Mapped[str] = mapped_column(String(512))
    description: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
