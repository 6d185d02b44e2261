"""What an operator asks of the database itself: its schema, and whether it takes writes."""

from sqlalchemy import text

from ragauth.extensions import MIGRATIONS, db


def known_revisions() -> list[str]:
    """Those of this version, the newest last: their files' names begin with them."""
    return sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def schema_revision() -> str | None:
    """The one that the database was migrated to; raises SQLAlchemyError without any."""
    revision: str | None = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def is_writable() -> bool:
    """Within a unit of work, which on SQLite has taken the writers' lock by its first query."""
    if db.engine.dialect.name == "sqlite":
        return bool(db.session.scalar(text("PRAGMA query_only")) == 0)
    return bool(db.session.scalar(text("SHOW transaction_read_only")) == "off")
