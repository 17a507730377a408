"""Signals of masks, fitted scores, the probability that a mask is bad; certificates."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SEED = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
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
        sa.Column("seed", _SEED, nullable=False),
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
    op.create_table(
        "certificate_attempt",
        sa.Column("id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("score_model_id", _ID, nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("max_error", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=False),
        sa.Column("bad_below", sa.Double(), nullable=False),
        sa.Column("population", sa.Integer(), nullable=False),
        sa.Column("audit_size", sa.Integer(), nullable=False),
        sa.Column("seed", _SEED, nullable=False),
        sa.Column("listed_sha256", sa.String(64), nullable=False),
        sa.Column("producers", sa.JSON(), nullable=False),
        sa.Column("errors", sa.Integer()),
        sa.Column("bound", sa.Double()),
        sa.Column("reason", sa.Text()),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("judged_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_certificate_attempt"),
        sa.UniqueConstraint("number", name="uq_certificate_attempt_number"),
        sa.ForeignKeyConstraint(
            ["score_model_id"],
            ["score_model.id"],
            name="fk_certificate_attempt_score_model_id_score_model",
        ),
        sa.CheckConstraint(
            "state IN ('open', 'certified', 'failed', 'void')",
            name=op.f("ck_certificate_attempt_state"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "attempt_item",
        sa.Column("attempt_id", _ID, nullable=False),
        sa.Column("mask_id", _ID, nullable=False),
        sa.Column("audited", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", "mask_id", name="pk_attempt_item"),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["certificate_attempt.id"],
            name="fk_attempt_item_attempt_id_certificate_attempt",
        ),
        sa.ForeignKeyConstraint(
            ["mask_id"], ["mask.id"], name="fk_attempt_item_mask_id_mask", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_attempt_item_mask_id", "attempt_item", ["mask_id"])
