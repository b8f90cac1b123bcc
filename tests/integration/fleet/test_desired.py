"""Signed configuration from the fleet's key to the running till and back (D16, D17; trust.md 13 to 16)."""

import shutil
from pathlib import Path

import pytest

from pos_agent.app.threads import in_own_thread
from pos_agent.domain.desired import ConfigState, Reason
from tests.bench.till import ROOT
from tests.integration.fleet.rig import FleetRig, eventually

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


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
async def test_trust_16_key_map_stays_in_trial_until_each_changed_key_was_pressed(
    rig: FleetRig, tmp_path: Path
) -> None:
    shipped = tmp_path / "config"
    shutil.copytree(ROOT / "config", shipped)
    text = (shipped / "keymaps" / "usb-numpad.toml").read_text("utf-8")
    text = text.replace('"KEY_KPMINUS", ', "").replace('["KEY_KPSLASH", ', '["KEY_KPMINUS", "KEY_KPSLASH", ')
    (shipped / "keymaps" / "swapped.toml").write_text(text, "utf-8")
    await in_own_thread(lambda: rig.till.start({"POS_AGENT_DATA_DIR": str(shipped)}), name="start")
    document = rig.document(5, {"devices": {"keypad": {"keymap": "swapped"}}}, confirm_within_s=600)
    await rig.push(document)
    await rig.wait_state(5, ConfigState.TRIAL)
    assert rig.status().config_note.endswith("s left, press CLEAR CANCEL")
    rig.till.press("CLEAR")  # the minus key, which cancels now
    await eventually(lambda: rig.status().config_note.endswith("press CLEAR"), "the first key")
    await rig.live_on(6)
    assert rig.status().config_version == 5
    assert rig.reports[-1].attempted is not None
    assert rig.reports[-1].attempted.state is ConfigState.TRIAL
    rig.till.press_code(14)  # KEY_BACKSPACE, all that clears now
    done = await rig.wait_state(5, ConfigState.CONFIRMED)
    assert done.running.version == 5
    assert rig.status().config_note == ""
