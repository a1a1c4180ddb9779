"""Partners, datasets and keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables of accounts."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "partners",
        sa.Column("slug", sa.String(31), nullable=False),
        sa.Column("names", sa.JSON, nullable=False),
        sa.Column("contact", sa.String(2000), nullable=False),
        sa.Column("trusted", sa.Boolean, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("slug", name="pk_partners"),
    )
    op.create_table(
        "datasets",
        sa.Column("partner", sa.String(31), nullable=False),
        sa.Column("slug", sa.String(63), nullable=False),
        sa.Column("titles", sa.JSON, nullable=False),
        sa.Column("licence", sa.String(2000), nullable=False),
        sa.Column("contact", sa.String(2000), nullable=False),
        sa.Column("rhythm", sa.String(20), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("partner", "slug", name="pk_datasets"),
        sa.ForeignKeyConstraint(["partner"], ["partners.slug"], name="fk_datasets_partner"),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("partner", sa.String(31)),
        sa.Column("scope", sa.JSON),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment),
        sa.Column("last_used_at", moment),
        sa.Column("revoked_at", moment),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.ForeignKeyConstraint(["partner"], ["partners.slug"], name="fk_keys_partner"),
    )
    op.create_index("ix_keys_partner", "keys", ["partner"])


def downgrade() -> None:
    """Drop all accounts; keys cannot be made again."""
    op.drop_table("keys")
    op.drop_table("datasets")
    op.drop_table("partners")
