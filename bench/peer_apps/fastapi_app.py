"""A key check as FastAPI's and SQLAlchemy's own documents teach it: one indexed read, no more.

It looks a key up by its digest and refuses a dead one. It counts nothing and limits nothing.
`python fastapi_app.py COUNT FILE` fills the database and writes the raw keys.
"""

import hashlib
import os
import secrets
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import ForeignKey, LargeBinary, String, create_engine, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship

_FILE = os.environ["PEER_DATABASE"]
_KEYS_PER_ACCOUNT = 4


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(256), unique=True)
    is_active: Mapped[bool]


class ApiKey(Base):
    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    revoked_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    account: Mapped[Account] = relationship()


app = FastAPI()
engine = create_async_engine(f"sqlite+aiosqlite:///{_FILE}")
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def open_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


@app.get("/check")
async def check(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    session: Annotated[AsyncSession, Depends(open_session)],
) -> dict[str, int]:
    digest = hashlib.sha256(credentials.credentials.encode()).digest()
    query = select(ApiKey).options(joinedload(ApiKey.account)).where(ApiKey.digest == digest)
    key = (await session.scalars(query)).one_or_none()
    now = datetime.now(UTC).replace(tzinfo=None)
    if key is None or key.revoked_at or (key.expires_at and key.expires_at < now):
        raise HTTPException(401)
    if not key.account.is_active:
        raise HTTPException(403)
    return {"account_id": key.account_id, "key_id": key.id}


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


def _fill(count: int, file: Path) -> None:
    keys = [f"rag_live_{secrets.token_urlsafe(32)}" for _ in range(count)]
    with create_engine(f"sqlite:///{_FILE}").connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        Base.metadata.create_all(connection)
        owners = range(1, count // _KEYS_PER_ACCOUNT + 2)
        connection.execute(
            insert(Account),
            [{"id": id, "email": f"customer{id}@example.com", "is_active": True} for id in owners],
        )
        rows = [
            {
                "account_id": place // _KEYS_PER_ACCOUNT + 1,
                "digest": hashlib.sha256(key.encode()).digest(),
            }
            for place, key in enumerate(keys)
        ]
        connection.execute(insert(ApiKey), rows)
        connection.commit()
    file.write_text("\n".join(keys))


if __name__ == "__main__":
    _fill(int(sys.argv[1]), Path(sys.argv[2]))
