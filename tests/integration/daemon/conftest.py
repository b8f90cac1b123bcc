"""A till of its own for each test."""

import shutil
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


@pytest.fixture(scope="session")
def data_with_operator() -> Iterator[Path]:
    """The data of a till that has operator 01, made once: the PIN's hash is costly on purpose."""
    with TemporaryDirectory(prefix="pa", dir="/tmp") as folder:
        till = BenchTill(Path(folder))
        try:
            till.add_operator()
            yield till.folder / "data"
        finally:
            till.close()


@pytest.fixture
def operator(till: BenchTill, data_with_operator: Path) -> None:
    """Operator 01 of the till."""
    shutil.copytree(data_with_operator, till.folder / "data")
