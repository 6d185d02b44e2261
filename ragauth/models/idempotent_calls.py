"""Idempotent calls: what a call with an Idempotency-Key was answered."""

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base


class IdempotentCall(Base):
    """One call. `name` is a digest of service key, method, path and Idempotency-Key.

    The answer is sealed under what the caller alone has. The row and what the call makes are
    committed together.
    """

    __tablename__ = "idempotent_calls"

    name: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    body_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int | None]
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(index=True)
