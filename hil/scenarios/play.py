"""Plays a script by name and says what happens."""

import sys
import time

import httpx

from hil.bench.client import BenchClient
from hil.scenarios import faults, refunds
from hil.scenarios.story import Scenario, Story

SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        refunds.full_refund,
        refunds.partial,
        refunds.reject,
        refunds.refused_pay_code,
        faults.paper_out,
        faults.offline,
        faults.power_cut,
        faults.replug,
    )
}


def play(name: str, api: str) -> bool:
    """Play one script against a running bench; prints its progress; returns whether it succeeded."""
    began = time.monotonic()
    with BenchClient(api) as client:
        story = Story(client, began=began)
        print(f"script {name}", flush=True)
        try:
            SCENARIOS[name](story)
        except (AssertionError, httpx.HTTPError) as error:
            print(f"  FAILED after {time.monotonic() - began:.1f} s: {error}", file=sys.stderr, flush=True)
            return False
    print(f"  ok in {time.monotonic() - began:.1f} s", flush=True)
    return True
