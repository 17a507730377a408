"""Audits that ask more about doubtful masks, question by question."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("certificate_attempt", sa.Column("waves", sa.JSON()))
    op.add_column("certificate_attempt", sa.Column("question_limit", sa.Integer()))
    op.add_column("attempt_item", sa.Column("stratum", sa.Integer()))
    op.add_column("attempt_item", sa.Column("draw", sa.Integer()))
