"""Settings that made crops and masks; tasks of forgotten photos; blobs by their key."""

from typing import Literal

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    # Only SQLite has to copy a table to change it, and only there can tables that refer to it wait.
    recreate: Literal["always", "never"]
    recreate = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    op.create_table(
        "settings_used",
        sa.Column("id", _ID, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("first_used_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_settings_used"),
        sa.UniqueConstraint("sha256", name="uq_settings_used_sha256"),
        sqlite_autoincrement=True,
    )
    for name in ("portrait", "mask"):
        with op.batch_alter_table(
            name, table_kwargs={"sqlite_autoincrement": True}, recreate=recreate
        ) as table:
            table.add_column(sa.Column("settings_id", _ID))
            table.create_foreign_key(
                f"fk_{name}_settings_id_settings_used", "settings_used", ["settings_id"], ["id"]
            )
            table.create_index(f"ix_{name}_blob", ["blob"])
    op.create_table(
        "task_removal",
        sa.Column("id", _ID, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("task_id", sa.BigInteger()),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task_removal"),
        sa.UniqueConstraint("key", name="uq_task_removal_key"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["review_project.id"], name="fk_task_removal_project_id_review_project"
        ),
        sqlite_autoincrement=True,
    )
