"""What people say of masks in the gallery."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "gallery_tag",
        sa.Column("id", _ID, nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("mask_id", _ID, nullable=False),
        sa.Column("tag", sa.String(16), nullable=False),
        sa.Column("tagged_by", sa.Text(), nullable=False),
        sa.Column("tagged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("review_id", _ID),
        sa.Column("request_id", _ID),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_gallery_tag"),
        sa.UniqueConstraint("key", name="uq_gallery_tag_key"),
        sa.CheckConstraint("tag IN ('review', 'fix', 'reject')", name="tag"),
        sa.ForeignKeyConstraint(["mask_id"], ["mask.id"], name="fk_gallery_tag_mask_id_mask"),
        sa.ForeignKeyConstraint(
            ["review_id"], ["review.id"], name="fk_gallery_tag_review_id_review"
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["review_request.id"],
            name="fk_gallery_tag_request_id_review_request",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_gallery_tag_mask_id", "gallery_tag", ["mask_id"])
