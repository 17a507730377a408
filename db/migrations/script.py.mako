"""${message}

Autogenerate does not see CHECK constraints: write their changes by hand. Name a batch operation's
constraints, and give it table_kwargs={"sqlite_autoincrement": True} (all tables but job), which the
copy loses otherwise. Then set `db.schema.HEAD`. Never import `db.models` here: the models move on.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
