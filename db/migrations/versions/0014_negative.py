"""Photos that a person has confirmed nobody is in."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "negative",
        sa.Column("id", _ID, nullable=False),
        sa.Column("image_id", _ID, nullable=False),
        sa.Column("blob", sa.String(), nullable=False),
        sa.Column("mask_blob", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("confirmed_by", sa.String(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_negative"),
        sa.UniqueConstraint("image_id", name="uq_negative_image_id"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_negative_image_id_image"),
        sqlite_autoincrement=True,
    )
