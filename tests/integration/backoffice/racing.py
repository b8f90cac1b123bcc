"""What tests of races share: a world on each kind of database, and threads that start at once."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backoffice.review import DecisionError
from tests.unit.backoffice.world import World, make_world


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        with make_world(tmp_path, max_requests_per_hour=1000) as made:
            yield made
        return
    url = str(request.getfixturevalue("postgresql"))
    made = World(url, max_requests_per_hour=1000)
    try:
        yield made
    finally:
        made.close()


def race(*work: Callable[[], object]) -> list[object]:
    """Run all at once; returns results and errors in order."""
    results: list[object] = [None] * len(work)
    gate = threading.Barrier(len(work))

    def run(index: int) -> None:
        gate.wait(10)
        try:
            results[index] = work[index]()
        except DecisionError as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,), name=f"racer-{index}") for index in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results
