"""What is remembered: SQLAlchemy models, queue, Alembic migrations."""
