"""Limit notices: that an owner was told how much of a limit is used, once in each window."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base


class LimitNotice(Base):
    """One notice. The primary key lets only one process of all hosts write it.

    `period` is the day or the month that the limit counts in: `2026-02-16` or `2026-02`.
    """

    __tablename__ = "limit_notices"

    account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    environment: Mapped[str] = mapped_column(String(10), primary_key=True)
    meter: Mapped[str] = mapped_column(String(31), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    percent: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
