"""Forgotten photos leave a tombstone by which copies are known; the operator may let files in."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("forgotten", sa.Column("tombstone", sa.LargeBinary()))
    op.create_table(
        "admitted",
        sa.Column("id", _ID, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("admitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_admitted"),
        sa.UniqueConstraint("sha256", name="uq_admitted_sha256"),
        sqlite_autoincrement=True,
    )
