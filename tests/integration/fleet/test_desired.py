"""Signed configuration from the fleet's key to the running till and back (D16, D17; trust.md 13 to 16)."""

import pytest

from pos_agent.app.threads import in_own_thread
from pos_agent.domain.desired import ConfigState, Reason
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
    await rig.push(rig.document(5, {"terminal": {"locale": "en"}, "printing": {"copies_customer": 2}}))
    await rig.reconnect()
    await rig.live_on()
    assert rig.reports[-1].seq == done.seq
    shown = [line.split() for line in rig.tool("show-config").splitlines()]
    assert ["terminal.locale", "'en'", "#", "fleet", "version", "5"] in shown


async def test_second_signature_is_asked_where_the_broker_changes_and_nothing_happens_without(rig: FleetRig) -> None:
    await start(rig)
    payload = rig.document(5, {"broker": {"keep_alive_s": 30}})
    etag = await rig.push(payload)
    refused = await rig.wait_state(5, ConfigState.REJECTED)
    assert refused.attempted is not None
    assert (refused.attempted.reason, refused.attempted.etag) == (Reason.SECOND_SIGNATURE, etag)
    assert (refused.running.version, refused.highest_version) == (0, 0)
    await rig.push(payload, is_endorsed=True)
    assert (await rig.wait_state(5, ConfigState.CONFIRMED)).running.etag == etag


async def test_configuration_that_cannot_be_used_is_rejected_without_a_trial(rig: FleetRig) -> None:
    await start(rig)
    await rig.wait_report(lambda report: True, "a first report")
    uptime_s = rig.status().uptime_s
    for version, config, word in (
        (5, {"devices": {"printer": {"profile": "no-such-printer", "usb": "04b8:0e28"}}}, "no-such-printer"),
        (6, {"printing": {"copies": 2}}, "printing.copies"),
        (7, {"terminal": {"data_dir": "/tmp/elsewhere"}}, "terminal.data_dir"),
    ):
        await rig.push(rig.document(version, config))
        report = await rig.wait_state(version, ConfigState.REJECTED)
        assert report.attempted is not None
        assert word in report.attempted.detail
        assert report.highest_version == 0
    assert rig.status().uptime_s > uptime_s
