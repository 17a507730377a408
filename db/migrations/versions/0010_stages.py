"""Jobs of any stage, with an argument and a count of losses."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job") as job:
        # Later stages come without a copy of what may be the largest table.
        job.drop_constraint(op.f("ck_job_stage"), type_="check")
        job.add_column(sa.Column("losses", sa.Integer(), nullable=False, server_default="0"))
        job.add_column(sa.Column("argument", sa.Text()))
