"""The operations database: what is neither graph nor file, on SQLite or PostgreSQL."""

from app.database.blobs import Blobs, FileBlobs, TableBlobs
from app.database.engine import Database, open_engine
from app.database.schema import Base, UtcDateTime, utc_now

__all__ = [
    "Base",
    "Blobs",
    "Database",
    "FileBlobs",
    "TableBlobs",
    "UtcDateTime",
    "open_engine",
    "utc_now",
]
