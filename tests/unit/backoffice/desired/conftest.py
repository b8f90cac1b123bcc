"""A back office and the two fleet keys that its tills pin."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.fleet import Fleet
from tests.unit.backoffice.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()
