"""The commit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table of commits."""
    op.create_table(
        "commits",
        sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("dataset", sa.String(2000), nullable=False),
        sa.Column("author", sa.String(2000), nullable=False),
        sa.Column("licence", sa.String(2000)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_hash", sa.String(64)),
        sa.Column("report", sa.JSON, nullable=False),
        sa.Column("added", sa.BigInteger, nullable=False),
        sa.Column("removed", sa.BigInteger, nullable=False),
        sa.Column("diff_hash", sa.String(64), nullable=False),
        sa.Column("diff", sa.LargeBinary),
    )
    op.create_index("ix_commits_dataset", "commits", ["dataset"])


def downgrade() -> None:
    """Drop the log; refused by nobody, so back up first."""
    op.drop_table("commits")
