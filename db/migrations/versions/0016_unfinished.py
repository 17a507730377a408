"""What a `forget` that was killed has still to remove."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("forgotten", sa.Column("unfinished", sa.JSON(), nullable=True))
