"""Which workspace this is, who is at work in it, and what one process does alone."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    workspace = op.create_table(
        "workspace",
        sa.Column("id", _ID, nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspace"),
        sa.UniqueConstraint("key", name="uq_workspace_key"),
    )
    op.bulk_insert(workspace, [{"key": secrets.token_hex(16)}])
    op.create_table(
        "owner",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beats", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_owner"),
        sa.UniqueConstraint("name", name="uq_owner_name"),
    )
    op.create_table(
        "lock",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner_id", _ID, nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lock"),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["owner.id"], name="fk_lock_owner_id_owner", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_lock_owner_id", "lock", ["owner_id"])
