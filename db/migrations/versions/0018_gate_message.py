"""What the gate said of a round goes by the word `message`, as everything said to people."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# As text, whatever a database calls JSON: the words alone change.
_RUN = sa.table("run", sa.column("id", sa.Integer), sa.column("gate", sa.JSON))


def upgrade() -> None:
    connection = op.get_bind()
    for run_id, gate in connection.execute(sa.select(_RUN.c.id, _RUN.c.gate)).all():
        told: dict[str, Any] | None = json.loads(gate) if isinstance(gate, str) else gate
        if told and "reason" in told:
            renamed = {"message" if key == "reason" else key: said for key, said in told.items()}
            change = sa.update(_RUN).where(_RUN.c.id == run_id).values(gate=renamed)
            connection.execute(change)
