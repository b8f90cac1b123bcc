"""Alembic's entry: migrate the database that the caller names."""

from alembic import context
from sqlalchemy import create_engine, pool

from backoffice.store import rollout_tables  # noqa: F401 - its tables belong to the metadata
from backoffice.store.schema import Base

url = context.config.get_main_option("sqlalchemy.url")
assert url is not None
engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
