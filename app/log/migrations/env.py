"""Alembic's entry: runs on the connection that the log hands over."""

from __future__ import annotations

from alembic import context

from app.log.schema import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
