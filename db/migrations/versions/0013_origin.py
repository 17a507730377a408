"""Where files came from."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "origin",
        sa.Column("source_id", _ID, nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("page", sa.Text()),
        sa.Column("author", sa.Text()),
        sa.Column("licence", sa.String()),
        sa.Column("licence_stated", sa.Text()),
        sa.Column("opt_outs", sa.JSON(), nullable=False),
        sa.Column("consent", sa.Boolean()),
        sa.Column("downloaded_at", sa.DateTime(timezone=True)),
        sa.Column("c2pa", sa.Boolean(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", name="pk_origin"),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
            name="fk_origin_source_id_source",
            ondelete="CASCADE",
        ),
    )
