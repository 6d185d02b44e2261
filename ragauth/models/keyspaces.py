"""Keyspaces: the operator's collections of keys, each with an account of its own."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base


class Keyspace(Base):
    """A collection of keys. Those that belong to no customer belong to its own account."""

    __tablename__ = "keyspaces"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
