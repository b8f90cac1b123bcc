"""Migrations on both databases: from nothing, with rows at each step, back again, and by two workers at once."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, DateTime, Integer, LargeBinary, MetaData, String, Table, make_url
from sqlalchemy import types as kinds

from backoffice.store.database import MIGRATIONS, Database, upgrade
from backoffice.store.schema import Base, Lease, Terminal
from tests.fixtures_postgres import Cluster

pytestmark = pytest.mark.slow
AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
_POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.exhaustive)


@pytest.fixture(params=["sqlite", _POSTGRESQL])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield a database without a table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    cluster: Cluster = request.getfixturevalue("postgresql_cluster")
    with cluster.database(template="template1") as url:
        yield url


def _settings(url: str) -> AlembicConfig:
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS))
    is_postgresql = make_url(url).get_backend_name() == "postgresql"
    full = url.replace("postgresql:", "postgresql+psycopg:") if is_postgresql else url
    settings.set_main_option("sqlalchemy.url", full.replace("%", "%%"))
    return settings


def _revisions() -> list[str]:
    """Return all revisions, oldest first."""
    script = ScriptDirectory.from_config(_settings("sqlite://"))
    return [each.revision for each in script.walk_revisions()][::-1]


def _value(kind: kinds.TypeEngine[Any], *, is_sqlite: bool) -> object:
    match kind:
        case kinds.Boolean():
            return True
        case Integer():
            return 2**31 - 1
        case DateTime():
            return AT.replace(tzinfo=None) if is_sqlite else AT
        case kinds.JSON():
            return {"店": 1}
        case LargeBinary():
            return b"\x00\xff"
        case String():
            return "字" * min(kind.length or 40, 22)
    raise AssertionError(f"a column of {kind!r}")


def _fill(connection: Connection) -> None:
    """Put a row into each table that has none: all keys are alike, so that each row finds those that it refers to."""
    found = MetaData()
    found.reflect(connection)
    for table in found.sorted_tables:
        if table.name in ("alembic_version", "meta") or connection.execute(table.select()).first() is not None:
            continue
        is_sqlite = connection.dialect.name == "sqlite"
        row = {column.name: _value(column.type, is_sqlite=is_sqlite) for column in table.columns}
        connection.execute(table.insert().values(row))


def _tables(opened: Database) -> dict[str, Table]:
    found = MetaData()
    found.reflect(opened.engine)
    return found.tables


def test_migrated_tables_are_those_of_the_schema(empty_url: str) -> None:
    upgrade(empty_url)
    opened = Database(empty_url, pool=1)
    # Alembic takes SQLite's '' for another default than the empty text.
    options = {"compare_type": True, "compare_server_default": opened.engine.dialect.name == "postgresql"}
    with opened.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []
    opened.close()


def test_rows_of_every_step_are_read_after_the_last(empty_url: str) -> None:
    for revision in _revisions():
        command.upgrade(_settings(empty_url), revision)
        opened = Database(empty_url, pool=1)
        with opened.engine.begin() as connection:
            _fill(connection)
        opened.close()
    opened = Database(empty_url, pool=1)
    with opened.reading() as session:
        counts = {mapper.class_: len(session.query(mapper.class_).all()) for mapper in Base.registry.mappers}
        assert set(counts.values()) == {1}
        [till] = session.query(Terminal).all()
        assert (till.token_confirmed, till.token_seed, till.last_seen_at) == (None, "", AT)
        assert [row.term for row in session.query(Lease).all()] == [0]
    opened.close()


def test_migrations_go_back_to_nothing_and_forth_again(empty_url: str) -> None:
    upgrade(empty_url)
    command.downgrade(_settings(empty_url), "base")
    opened = Database(empty_url, pool=1)
    assert set(_tables(opened)) == {"alembic_version"}
    opened.close()
    upgrade(empty_url)
    opened = Database(empty_url, pool=1)
    assert set(_tables(opened)) == {*Base.metadata.tables, "alembic_version"}
    opened.close()


@pytest.mark.exhaustive
def test_workers_that_start_at_once_on_a_new_database_all_find_it_migrated(postgresql_cluster: Cluster) -> None:
    with postgresql_cluster.database(template="template1") as url:
        start = [sys.executable, "-c", f"from backoffice.store.database import upgrade; upgrade({url!r})"]
        workers = [subprocess.Popen(start) for _ in range(3)]
        assert [worker.wait(60) for worker in workers] == [0] * 3
        opened = Database(url, pool=1)
        assert set(_tables(opened)) == {*Base.metadata.tables, "alembic_version"}
        opened.close()
