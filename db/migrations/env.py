"""Alembic's entry: migrates over the connection that `db.schema` hands in, in its transaction.

Nothing here configures logging or opens a database of its own.
"""

from alembic import context

from db import Base, schema

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    include_object=schema.is_compared(connection.dialect.name),
)
with context.begin_transaction():
    context.run_migrations()
