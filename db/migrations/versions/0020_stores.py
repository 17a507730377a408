"""Which store a workspace's blobs are in, and what is put into it where no folder is shared."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("workspace", sa.Column("store", sa.String(32)))
    op.create_table(
        "put_note",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_put_note"),
    )
    op.create_index("ix_put_note_owner", "put_note", ["owner"])
