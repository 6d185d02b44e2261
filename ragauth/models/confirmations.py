"""Confirmations: single-use tokens that went out by mail, or between two steps of a login."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base


class Confirmation(Base):
    """A token of which only the SHA-256 is kept; `used_at` is set once, by whoever is first."""

    __tablename__ = "confirmations"
    __table_args__ = (
        CheckConstraint(
            "purpose IN ('verify_email', 'change_email', 'reset_password', 'second_factor')",
            name="purpose",
        ),
        Index(None, "account_id", "purpose"),
        Index(None, "expires_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(20))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    # The address that is to be confirmed; for `change_email` it is the new one.
    email: Mapped[str | None] = mapped_column(String(256))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
