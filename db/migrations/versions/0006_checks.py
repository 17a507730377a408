"""Questions with a known answer; what describes a portrait; what stands beside a certificate."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "honeypot",
        sa.Column("id", _ID, nullable=False),
        sa.Column("request_id", _ID, nullable=False),
        sa.Column("shown_blob", sa.String()),
        sa.Column("damage", sa.String(16)),
        sa.Column("iou", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_honeypot"),
        sa.UniqueConstraint("request_id", name="uq_honeypot_request_id"),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["review_request.id"],
            name="fk_honeypot_request_id_review_request",
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    op.add_column("review", sa.Column("fixed_iou", sa.Double()))
    op.create_table(
        "portrait_traits",
        sa.Column("portrait_id", _ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("portrait_id", name="pk_portrait_traits"),
        sa.ForeignKeyConstraint(
            ["portrait_id"],
            ["portrait.id"],
            name="fk_portrait_traits_portrait_id_portrait",
            ondelete="CASCADE",
        ),
    )
    op.add_column("certificate_attempt", sa.Column("findings", sa.JSON()))
