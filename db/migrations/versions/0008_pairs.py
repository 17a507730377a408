"""Why a file that should have come with a mask has none; masks by the files they belong to."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("source", sa.Column("import_mask_problem", sa.Text()))
    op.create_index("ix_source_import_mask_uri", "source", ["import_mask_uri"])
