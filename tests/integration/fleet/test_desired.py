"""Signed configuration from the fleet's key to the running till and back (D16, D17; trust.md 13 to 16)."""

import pytest

from pos_agent.app.threads import in_own_thread
from pos_agent.domain.desired import ConfigState
from tests.integration.fleet.rig import FleetRig

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.timeout(150)]


async def start(rig: FleetRig) -> None:
    await in_own_thread(rig.till.start, name="start")


async def test_good_configuration_is_tried_confirmed_and_reported(rig: FleetRig) -> None:
    await start(rig)
    first = await rig.wait_report(lambda report: True, "a first report")
    assert (first.running.version, first.attempted, first.fleet_keys) == (0, None, ("fleet-a", "fleet-b"))
    pid = rig.till.pid
    etag = await rig.push(rig.document(5, {"terminal": {"locale": "en"}, "printing": {"copies_customer": 2}}))
    trial = await rig.wait_state(5, ConfigState.TRIAL)
    assert (trial.running.version, trial.running.etag) == (5, etag)
    done = await rig.wait_state(5, ConfigState.CONFIRMED)
    assert (done.running.etag, done.previous.version, done.highest_version) == (etag, 0, 5)
    assert (rig.status().locale, rig.till.pid) == ("en", pid)
