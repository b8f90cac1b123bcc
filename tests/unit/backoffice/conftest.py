"""The world that tests of the back office share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.backoffice.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made
