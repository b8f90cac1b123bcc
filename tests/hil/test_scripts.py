"""The scripts that ship with the bench, each on a fresh bench."""

import time

import pytest

from hil.bench.client import BenchClient
from hil.scenarios import SCENARIOS
from hil.scenarios.story import Story

pytestmark = [pytest.mark.bench, pytest.mark.broker]


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_script_on_a_fresh_bench_succeeds(bench: BenchClient, name: str) -> None:
    SCENARIOS[name](Story(bench, began=time.monotonic()))
