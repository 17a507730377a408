"""What a network sees in each portrait."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "portrait_features",
        sa.Column("portrait_id", _ID, nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("portrait_id", name="pk_portrait_features"),
        sa.ForeignKeyConstraint(
            ["portrait_id"],
            ["portrait.id"],
            name="fk_portrait_features_portrait_id_portrait",
            ondelete="CASCADE",
        ),
    )
