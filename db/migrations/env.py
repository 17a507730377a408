"""Alembic's entry: migrates over the connection that `db.schema` hands in, in its transaction.

Nothing here configures logging or opens a database of its own.
"""

from alembic import context

from db import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
