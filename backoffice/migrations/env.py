"""Alembic's entry: migrate the database that the caller names."""

from typing import Final

from alembic import context
from sqlalchemy import create_engine, pool, text

from backoffice.store.schema import Base

#: Of PostgreSQL's advisory locks: workers that start at once on an older database migrate it one after the other.
_LOCK: Final = 0x706F735F

url = context.config.get_main_option("sqlalchemy.url")
assert url is not None
engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        context.run_migrations()
engine.dispose()
