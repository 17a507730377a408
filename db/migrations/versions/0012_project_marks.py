"""Review projects have a nonce, and may be noted before they are made."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    projects = sa.table("review_project", sa.column("id"), sa.column("nonce"))
    autoincrement = {"sqlite_autoincrement": True}
    with op.batch_alter_table("review_project", table_kwargs=autoincrement) as table:
        table.add_column(sa.Column("nonce", sa.String(32)))
        table.alter_column("server_project_id", existing_type=sa.BigInteger(), nullable=True)
    connection = op.get_bind()
    for number in connection.scalars(sa.select(projects.c.id)).all():
        update = sa.update(projects).where(projects.c.id == number)
        connection.execute(update.values(nonce=secrets.token_hex(16)))
    with op.batch_alter_table("review_project", table_kwargs=autoincrement) as table:
        table.alter_column("nonce", existing_type=sa.String(32), nullable=False)
        table.create_unique_constraint("uq_review_project_nonce", ["nonce"])
