"""Commits of several datasets, their submissions, and blobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Give datasets a table of their own, with what is there, and blobs theirs."""
    op.create_table(
        "commit_datasets",
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("dataset", sa.String(2000), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("generation", "dataset", name="pk_commit_datasets"),
        sa.ForeignKeyConstraint(
            ["generation"], ["commits.generation"], name="fk_commit_datasets_generation"
        ),
    )
    op.execute(
        "INSERT INTO commit_datasets (generation, dataset, position) "
        "SELECT generation, dataset, 0 FROM commits"
    )
    op.create_index("ix_commit_datasets_dataset", "commit_datasets", ["dataset"])
    op.drop_index("ix_commits_dataset", "commits")
    op.drop_column("commits", "dataset")
    op.add_column("commits", sa.Column("submission", sa.String(32)))
    op.create_index("ix_commits_submission", "commits", ["submission"], unique=True)
    op.create_table(
        "blobs",
        sa.Column("room", sa.String(31), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("room", "digest", name="pk_blobs"),
    )


def downgrade() -> None:
    """Keep only the first dataset of each commit; blobs in the table are lost."""
    op.drop_table("blobs")
    op.drop_index("ix_commits_submission", "commits")
    op.drop_column("commits", "submission")
    op.add_column("commits", sa.Column("dataset", sa.String(2000)))
    op.execute(
        "UPDATE commits SET dataset = (SELECT dataset FROM commit_datasets "
        "WHERE commit_datasets.generation = commits.generation AND position = 0)"
    )
    op.drop_table("commit_datasets")
    with op.batch_alter_table("commits") as commits:
        commits.alter_column("dataset", existing_type=sa.String(2000), nullable=False)
        commits.create_index("ix_commits_dataset", ["dataset"])
