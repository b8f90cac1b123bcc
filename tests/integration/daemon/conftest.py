"""A till of its own for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.till import BenchTill, bench_till


@pytest.fixture
def till() -> Iterator[BenchTill]:
    """A till that is not switched on yet."""
    with bench_till() as till:
        yield till


@pytest.fixture(scope="session")
def data_with_operator() -> Iterator[Path]:
    """The data of a till that has operator 01, made once: the PIN's hash is costly on purpose."""
    with bench_till() as till:
        till.add_operator()
        yield till.folder / "data"


@pytest.fixture
def operator(till: BenchTill, data_with_operator: Path) -> None:
    """Operator 01 of the till."""
    shutil.copytree(data_with_operator, till.folder / "data")
