"""The installation's own row, made once by the migration: its name, and how far some work is.

The names in Redis contain the installation's name.
"""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Integer, String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.reads.prepared import PreparedReads

_ONLY = 1


class Installation(Base):
    """The table's only row. All hosts of an installation share it with the database."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(32))
    # Keys that expired until this moment have an event that says so; of those that expired in this
    # very moment, the keys up to this one. Without a key they all have.
    expired_until: Mapped[datetime | None]
    expired_key_id: Mapped[uuid.UUID | None]
    # The greatest place in the feed that an event was ever given, also one that was deleted.
    last_place: Mapped[int] = mapped_column(BigInteger, server_default="0")


def hold_last_place() -> int:
    """The greatest place that was given, locked until the commit: one at a time gives places."""
    query = select(Installation.last_place).where(Installation.id == _ONLY).with_for_update()
    return db.session.execute(query).scalar_one()


def set_last_place(place: int) -> None:
    """Note the greatest place that was given; the caller holds it."""
    db.session.execute(
        update(Installation)
        .where(Installation.id == _ONLY)
        .values(last_place=place)
        .execution_options(synchronize_session=False)
    )


def get_installation() -> Installation:
    return db.session.get_one(Installation, 1)


def hold_installation() -> None:
    """Wait for the row's lock, and hold it until the commit: one at a time does something."""
    db.session.execute(select(Installation.id).where(Installation.id == _ONLY).with_for_update())


def lock_installation() -> Installation | None:
    """Lock the row until the commit; None if another process has locked it."""
    return db.session.get(Installation, 1, with_for_update={"skip_locked": True})


class InstallationLookup:
    """Reads the name, which its names in Redis contain.

    It is read at the first use and cached, because it never changes.
    """

    def __init__(self, reads: PreparedReads) -> None:
        self._reads = reads
        self._sql = reads.compile(select(Installation.name))
        self._name: str | None = None

    def name(self) -> str | None:
        """The name, 32 hex digits; None if the row is missing.

        Raises ExternalServiceUnavailable.
        """
        if self._name is None:
            rows = self._reads.read(self._sql, {})
            self._name = rows[0][0] if rows else None
        return self._name
