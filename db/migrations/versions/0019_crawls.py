"""Sources that lie elsewhere: their versions, what lies beside them, and archives gone through."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("source", sa.Column("version", sa.Text()))
    op.add_column("source", sa.Column("beside", sa.JSON(none_as_null=True)))
    op.create_table(
        "archive",
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("uri", name="pk_archive"),
    )
