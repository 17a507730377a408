"""How portraits were set upright, and what speaks against them whatever their masks are."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "portrait", sa.Column("rotation", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("portrait", sa.Column("reasons", sa.JSON(), nullable=False, server_default="[]"))
