"""The operations database: what is neither graph nor file, on SQLite or PostgreSQL."""

from app.database.engine import Database, open_engine
from app.database.schema import Base, UtcDateTime, utc_now

__all__ = ["Base", "Database", "UtcDateTime", "open_engine", "utc_now"]
