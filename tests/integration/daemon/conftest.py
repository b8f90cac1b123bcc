"""A till of its own for each test."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.bench.till import BenchTill


@pytest.fixture
def till() -> Iterator[BenchTill]:
    """A till that is not switched on yet; sockets need a short folder."""
    with TemporaryDirectory(prefix="pa", dir="/tmp") as folder:
        till = BenchTill(Path(folder))
        try:
            yield till
        finally:
            till.close()
