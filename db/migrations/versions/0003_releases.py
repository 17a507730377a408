"""Near-duplicate groups and splits of images; releases, runs, and forgotten photos."""

from typing import Literal

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    # Only SQLite has to copy a table to change it, and only there can tables that refer to it wait.
    recreate: Literal["always", "never"]
    recreate = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table(
        "image", table_kwargs={"sqlite_autoincrement": True}, recreate=recreate
    ) as image:
        image.add_column(sa.Column("descriptor", sa.LargeBinary()))
        image.add_column(sa.Column("group_id", _ID))
        image.add_column(sa.Column("split", sa.String(16)))
        image.create_check_constraint(op.f("ck_image_split"), "split IN ('train', 'val', 'test')")
        image.create_foreign_key("fk_image_group_id_image", "image", ["group_id"], ["id"])
        image.create_index("ix_image_group_id", ["group_id"])
    op.create_table(
        "release",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("round", sa.Integer()),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("checksum", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("sealed_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_release"),
        sa.UniqueConstraint("name", name="uq_release_name"),
        sa.UniqueConstraint("round", name="uq_release_round"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "forgotten",
        sa.Column("id", _ID, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("forgotten_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_forgotten"),
        sa.UniqueConstraint("sha256", name="uq_forgotten_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "release_item",
        sa.Column("id", _ID, nullable=False),
        sa.Column("release_id", _ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("portrait_id", _ID),
        sa.Column("mask_id", _ID),
        sa.Column("forgotten_id", _ID),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("trust", sa.String(16), nullable=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        sa.Column("mask_sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_release_item"),
        sa.UniqueConstraint("release_id", "name", name="uq_release_item_release_id_name"),
        *(
            sa.ForeignKeyConstraint(
                [f"{table}_id"], [f"{table}.id"], name=f"fk_release_item_{table}_id_{table}"
            )
            for table in ("release", "portrait", "mask", "forgotten")
        ),
        sa.CheckConstraint("split IN ('train', 'val', 'test')", name=op.f("ck_release_item_split")),
        sa.CheckConstraint(
            "trust IN ('accepted', 'fixed', 'imported', 'certified')",
            name=op.f("ck_release_item_trust"),
        ),
        sqlite_autoincrement=True,
    )
    for column in ("portrait_id", "image_sha256", "mask_sha256"):
        op.create_index(f"ix_release_item_{column}", "release_item", [column])
    op.create_table(
        "run",
        sa.Column("id", _ID, nullable=False),
        sa.Column("release_id", _ID, nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("code_revision", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("checkpoint_sha256", sa.String(64)),
        sa.Column("metrics", sa.JSON()),
        sa.Column("gate", sa.JSON()),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME),
        sa.Column("promoted_at", _TIME),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
        sa.UniqueConstraint("folder", name="uq_run_folder"),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name="fk_run_release_id_release"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_release_id", "run", ["release_id"])
