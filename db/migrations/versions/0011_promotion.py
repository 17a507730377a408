"""Which student is current is counted, not timed: clocks may go backwards."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("promotion", sa.Integer()))
    run = sa.table("run", *map(sa.column, ("id", "promoted_at", "promotion")))
    connection = op.get_bind()
    promoted = sa.select(run.c.id).where(run.c.promoted_at.is_not(None))
    ids = connection.scalars(promoted.order_by(run.c.promoted_at, run.c.id)).all()
    for number, run_id in enumerate(ids, start=1):
        connection.execute(sa.update(run).where(run.c.id == run_id).values(promotion=number))
    op.create_index("uq_run_promotion", "run", ["promotion"], unique=True)
