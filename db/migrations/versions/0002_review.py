"""Human review: projects, requests and decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "review_project",
        sa.Column("id", _ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("server_project_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("pulled_until", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_review_project"),
        sa.UniqueConstraint(
            "url", "server_project_id", name="uq_review_project_url_server_project_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "review_request",
        sa.Column("id", _ID, nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("portrait_id", _ID, nullable=False),
        sa.Column("mask_id", _ID, nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("replicate", sa.Integer(), nullable=False),
        sa.Column("drawn_at_random", sa.Boolean(), nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("task_id", sa.BigInteger()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("problem", sa.Text()),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("posted_at", _TIME),
        sa.Column("sent_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_review_request"),
        sa.UniqueConstraint("key", name="uq_review_request_key"),
        sa.UniqueConstraint(
            "mask_id", "purpose", "replicate", name="uq_review_request_mask_id_purpose_replicate"
        ),
        sa.ForeignKeyConstraint(
            ["portrait_id"], ["portrait.id"], name="fk_review_request_portrait_id_portrait"
        ),
        sa.ForeignKeyConstraint(["mask_id"], ["mask.id"], name="fk_review_request_mask_id_mask"),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["review_project.id"],
            name="fk_review_request_project_id_review_project",
        ),
        sa.CheckConstraint(
            "purpose IN ('review', 'audit', 'repeat', 'honeypot')",
            name=op.f("ck_review_request_purpose"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'sent', 'answered', 'superseded')",
            name=op.f("ck_review_request_state"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_request_state_id", "review_request", ["state", "id"])
    op.create_index("ix_review_request_portrait_id", "review_request", ["portrait_id"])
    op.create_table(
        "review",
        sa.Column("id", _ID, nullable=False),
        sa.Column("mask_id", _ID, nullable=False),
        sa.Column("request_id", _ID),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("decided_at", _TIME, nullable=False),
        sa.Column("seconds", sa.Double()),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("comment", sa.Text()),
        sa.Column("annotation_id", sa.BigInteger()),
        sa.Column("annotation_updated_at", _TIME),
        sa.Column("fixed_mask_id", _ID),
        sa.Column("withdrawn_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
        sa.UniqueConstraint(
            "request_id",
            "annotation_id",
            "annotation_updated_at",
            name="uq_review_request_id_annotation_id_annotation_updated_at",
        ),
        sa.ForeignKeyConstraint(["mask_id"], ["mask.id"], name="fk_review_mask_id_mask"),
        sa.ForeignKeyConstraint(
            ["request_id"], ["review_request.id"], name="fk_review_request_id_review_request"
        ),
        sa.ForeignKeyConstraint(
            ["fixed_mask_id"], ["mask.id"], name="fk_review_fixed_mask_id_mask"
        ),
        sa.CheckConstraint(
            "decision IN ('accept', 'reject', 'fix', 'certified')",
            name=op.f("ck_review_decision"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_mask_id", "review", ["mask_id"])
