"""Submissions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the register of submissions."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "submissions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("key", sa.String(12), nullable=False),
        sa.Column("idempotency", sa.String(255)),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("partner", sa.String(31)),
        sa.Column("author", sa.String(2000), nullable=False),
        sa.Column("licence", sa.String(2000)),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("dataset", sa.String(2000), nullable=False),
        sa.Column("graphs", sa.JSON),
        sa.Column("names", sa.JSON, nullable=False),
        sa.Column("force", sa.Boolean, nullable=False),
        sa.Column("direct", sa.Boolean, nullable=False),
        sa.Column("expects", sa.JSON, nullable=False),
        sa.Column("reverts", sa.String(32)),
        sa.Column("files", sa.JSON, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("source_hash", sa.String(64), nullable=False),
        sa.Column("source", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("changed_at", moment, nullable=False),
        sa.Column("statements", sa.BigInteger),
        sa.Column("counts", sa.JSON),
        sa.Column("report", sa.String(64)),
        sa.Column("compared_with", sa.Integer),
        sa.Column("added", sa.BigInteger),
        sa.Column("removed", sa.BigInteger),
        sa.Column("diff", sa.String(64)),
        sa.Column("problem", sa.JSON),
        sa.Column("reason", sa.Text),
        sa.Column("decided_by", sa.String(2000)),
        sa.Column("generation", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_submissions"),
        sa.UniqueConstraint("key", "idempotency", name="uq_submissions_key"),
    )
    for column in ("partner", "dataset", "state"):
        op.create_index(f"ix_submissions_{column}", "submissions", [column])


def downgrade() -> None:
    """Drop the register; what was published stays in the log."""
    op.drop_table("submissions")
