"""The world that tests of the back office share: on SQLite, and in make test-all once more on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.backoffice.world import World, new_sqlite, world_on

_ELSEWHERE = pytest.param("postgresql", marks=[pytest.mark.slow, pytest.mark.exhaustive])


@pytest.fixture(params=["sqlite", _ELSEWHERE])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a database with empty tables."""
    if request.param == "sqlite":
        return new_sqlite(tmp_path)
    return str(request.getfixturevalue("postgresql"))


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with world_on(database_url) as made:
        yield made
