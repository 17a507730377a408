"""Signals of masks, fitted scores, and the probability that a mask is bad."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "mask_signals",
        sa.Column("mask_id", _ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("mask_id", name="pk_mask_signals"),
        sa.ForeignKeyConstraint(
            ["mask_id"], ["mask.id"], name="fk_mask_signals_mask_id_mask", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "score_model",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("bad_below", sa.Double(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("review_ids", sa.JSON(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_score_model"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mask_doubt",
        sa.Column("score_model_id", _ID, nullable=False),
        sa.Column("mask_id", _ID, nullable=False),
        sa.Column("doubt", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("score_model_id", "mask_id", name="pk_mask_doubt"),
        sa.ForeignKeyConstraint(
            ["score_model_id"], ["score_model.id"], name="fk_mask_doubt_score_model_id_score_model"
        ),
        sa.ForeignKeyConstraint(
            ["mask_id"], ["mask.id"], name="fk_mask_doubt_mask_id_mask", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_mask_doubt_mask_id", "mask_doubt", ["mask_id"])
