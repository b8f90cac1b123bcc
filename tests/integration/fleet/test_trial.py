"""Trials that end badly on a real till: no network, power cuts, crashes (D17; trust.md 15, 16)."""

import pytest

from pos_agent.app.threads import in_own_thread
from pos_agent.domain.desired import ConfigState, Reason
from pos_agent.protocol.desired import ConfigReported
from tests.integration.fleet.rig import FleetRig

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.timeout(150)]


async def start(rig: FleetRig) -> None:
    await in_own_thread(rig.till.start, name="start")


@pytest.mark.exhaustive
async def test_wrong_broker_is_rolled_back_without_network_and_tried_once_more(rig: FleetRig) -> None:
    await start(rig)
    payload = rig.document(5, {"broker": {"url": "mqtts://127.0.0.1:9"}})
    await rig.push(payload, is_endorsed=True)
    again = await rig.wait_report(
        lambda report: _tries(report) == 2 and _state(report) == "rolled_back", "both tries over", timeout_s=90
    )
    assert again.attempted is not None
    assert (again.attempted.reason, again.running.version) == (Reason.NO_NETWORK, 0)
    await rig.push(payload, is_endorsed=True)
    await rig.reconnect()
    await rig.live_on()
    assert _tries(rig.reports[-1]) == 2, "never a third time"
    assert (rig.status().safe_code, rig.status().is_broker_connected) == ("", True)


@pytest.mark.exhaustive
async def test_power_cut_in_a_trial_costs_a_start_and_the_third_start_rolls_back(rig: FleetRig) -> None:
    rig.office.is_mute = True
    await start(rig)
    await rig.push(rig.document(5, {"terminal": {"locale": "en"}}, needs_ack=True, confirm_within_s=600))
    await rig.wait_state(5, ConfigState.TRIAL)
    rig.cut_power()
    await start(rig)
    assert rig.status().locale == "en", "the second start is a try too"
    rig.cut_power()
    await start(rig)
    assert rig.status().locale == "zh-CN"
    report = await rig.wait_state(5, ConfigState.ROLLED_BACK)
    assert report.attempted is not None
    assert (report.attempted.reason, report.running.version, report.highest_version) == (Reason.STARTS, 0, 5)


@pytest.mark.exhaustive
async def test_confirmed_configuration_that_crashes_three_times_gives_way_to_the_one_before(rig: FleetRig) -> None:
    await start(rig)
    await rig.push(rig.document(5, {"terminal": {"locale": "en"}}))
    await rig.wait_state(5, ConfigState.CONFIRMED)
    for _ in range(3):
        rig.cut_power()
        await start(rig)
    assert (rig.status().locale, rig.status().safe_code) == ("zh-CN", "")
    report = await rig.wait_state(5, ConfigState.ROLLED_BACK)
    assert report.attempted is not None
    assert (report.attempted.reason, report.running.version) == (Reason.CRASHES, 0)
    for _ in range(3):
        rig.cut_power()
        await start(rig)
    assert (rig.status().workflow_state, rig.status().safe_code) == ("SAFE", "E-CRASH"), "then SAFE"


def _tries(report: ConfigReported) -> int:
    return 0 if report.attempted is None else report.attempted.tries


def _state(report: ConfigReported) -> str:
    return "" if report.attempted is None else report.attempted.state
