"""Sources, images, portraits, masks and the job queue."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "image",
        sa.Column("id", _ID, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("format", sa.String()),
        sa.Column("phash", sa.BigInteger()),
        sa.Column("phash_mirror", sa.BigInteger()),
        sa.Column("faces", sa.JSON()),
        sa.Column("outcome", sa.String(16)),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("detector", sa.String()),
        sa.Column("added_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_image"),
        sa.UniqueConstraint("sha256", name="uq_image_sha256"),
        sa.CheckConstraint("outcome IN ('portraits', 'no_face')", name=op.f("ck_image_outcome")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "source",
        sa.Column("id", _ID, nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("mtime_ns", sa.BigInteger()),
        sa.Column("image_id", _ID),
        sa.Column("import_mask_uri", sa.Text()),
        sa.Column("added_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_source"),
        sa.UniqueConstraint("uri", name="uq_source_uri"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_source_image_id_image"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_source_image_id", "source", ["image_id"])
    op.create_table(
        "portrait",
        sa.Column("id", _ID, nullable=False),
        sa.Column("image_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("face_box", sa.JSON(), nullable=False),
        sa.Column("landmarks", sa.JSON(), nullable=False),
        sa.Column("face_confidence", sa.Double(), nullable=False),
        sa.Column("crop_box", sa.JSON(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("blob", sa.String(), nullable=False),
        sa.Column("detector", sa.String(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_portrait"),
        sa.UniqueConstraint("image_id", "ordinal", name="uq_portrait_image_id_ordinal"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_portrait_image_id_image"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mask",
        sa.Column("id", _ID, nullable=False),
        sa.Column("portrait_id", _ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("producer", sa.String(), nullable=False),
        sa.Column("blob", sa.String(), nullable=False),
        sa.Column("probability_blob", sa.String()),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mask"),
        sa.UniqueConstraint("portrait_id", "revision", name="uq_mask_portrait_id_revision"),
        sa.ForeignKeyConstraint(
            ["portrait_id"], ["portrait.id"], name="fk_mask_portrait_id_portrait"
        ),
        sa.CheckConstraint(
            "source IN ('teacher', 'student', 'import', 'human')", name=op.f("ck_mask_source")
        ),
        sa.CheckConstraint(
            "verdict IN ('candidate', 'review', 'rejected')", name=op.f("ck_mask_verdict")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mask_verdict_id", "mask", ["verdict", "id"])
    op.create_table(
        "job",
        sa.Column("id", _ID, nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String()),
        sa.Column("lease_until", sa.Double()),
        sa.Column("reason", sa.String()),
        sa.Column("error", sa.Text()),
        sa.Column("finished_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.UniqueConstraint("stage", "item_id", name="uq_job_stage_item_id"),
        sa.CheckConstraint(
            "stage IN ('read', 'detect', 'import', 'label')", name=op.f("ck_job_stage")
        ),
        sa.CheckConstraint(
            "state IN ('todo', 'doing', 'succeeded', 'failed')", name=op.f("ck_job_state")
        ),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("ix_job_stage_state_id", "job", ["stage", "state", "id"])
        return
    # What changes its state leaves a dead entry in an index of states.
    for state, columns in (("todo", ["stage", "id"]), ("doing", ["owner"]), ("failed", ["stage"])):
        where = sa.text(f"state = '{state}'")
        op.create_index(f"ix_job_{state}", "job", columns, postgresql_where=where)
