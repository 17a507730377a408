"""Audits of the photos in which no face was found, and the negatives that rest on them."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "negative_audit",
        sa.Column("id", _ID, nullable=False),
        sa.Column("image_ids", sa.JSON(), nullable=False),
        sa.Column("drawn", sa.JSON(), nullable=False),
        sa.Column("max_error", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("judged_by", sa.String()),
        sa.Column("judged_at", sa.DateTime(timezone=True)),
        sa.Column("errors", sa.Integer()),
        sa.Column("certified", sa.Boolean()),
        sa.PrimaryKeyConstraint("id", name="pk_negative_audit"),
        sqlite_autoincrement=True,
    )
    op.add_column("negative", sa.Column("audit_id", sa.Integer()))
