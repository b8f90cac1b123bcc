"""Looking, pressing, scanning and taking slips over the bench API."""

import asyncio
import io

import httpx
import pytest
from PIL import Image

from tests.fakes.bench import FakeRig, status_at

REQUEST_ID = "9812345678901234567815"


async def test_state_shows_screens_and_status_in_words_of_the_api(http: httpx.AsyncClient, rig: FakeRig) -> None:
    rig.show("退款终端 01号操作员")
    state = (await http.get("/state")).json()
    assert state["screens"]["operator"]["size"] == [40, 12]
    assert state["screens"]["operator"]["lines"][0] == "退款终端 01号操作员"
    assert state["screens"]["customer"]["size"] == [20, 2]
    assert (state["workflow_state"], state["locale"], state["training"]) == ("MENU", "zh-CN", False)
    assert state["devices"]["scanner"] == {"online": True, "code": ""}
    assert state["outbox"] == {"queued": 0, "sent": 0, "held": 0}


async def test_state_daemon_silent_says_null_not_the_last_known(http: httpx.AsyncClient, rig: FakeRig) -> None:
    rig.daemon.next_status = None
    state = (await http.get("/state")).json()
    assert state["workflow_state"] is None
    assert state["daemon"] is None
    assert state["outbox"] is None


async def test_state_since_current_waits_for_the_next_change(http: httpx.AsyncClient, rig: FakeRig) -> None:
    rig.show("one")
    seq = (await http.get("/state")).json()["seq"]
    waiting = asyncio.create_task(http.get("/state", params={"since": seq, "wait_s": 10}))
    await asyncio.sleep(0)
    assert not waiting.done()
    rig.show("two")
    state = (await waiting).json()
    assert state["seq"] > seq
    assert state["screens"]["operator"]["lines"][0] == "two"


async def test_state_since_with_change_already_there_answers_at_once(http: httpx.AsyncClient, rig: FakeRig) -> None:
    seq = (await http.get("/state")).json()["seq"]
    rig.show("changed between the calls")
    async with asyncio.timeout(2):
        state = (await http.get("/state", params={"since": seq, "wait_s": 60})).json()
    assert state["screens"]["operator"]["lines"][0] == "changed between the calls"


@pytest.mark.parametrize("wait_s", ["-1", "61", "soon", "nan"])
async def test_state_bad_wait_is_refused_with_reason(http: httpx.AsyncClient, wait_s: str) -> None:
    response = await http.get("/state", params={"since": "0", "wait_s": wait_s})
    assert response.status_code == 422
    assert "wait_s" in response.json()["error"]["message"]


async def test_state_power_off_shows_dark_screens(http: httpx.AsyncClient, rig: FakeRig) -> None:
    rig.show("退款终端")
    await http.post("/power/cut")
    state = (await http.get("/state")).json()
    assert state["power"] == "off"
    assert set(state["screens"]["operator"]["lines"]) == {""}


async def test_keys_are_pressed_in_order(http: httpx.AsyncClient, rig: FakeRig) -> None:
    response = await http.post("/keys", json={"keys": ["1", "00", "ENTER"], "hold_ms": 7, "gap_ms": 3})
    assert response.status_code == 200
    assert rig.devices.keypad.calls == [("press", ["1", "00", "ENTER"], 7, 3)]


@pytest.mark.parametrize(
    "body",
    [{"keys": []}, {"keys": ["OK"]}, {"keys": ["1"], "hold_ms": -1}, {"keys": ["1"], "times": 2}, {}],
)
async def test_keys_bad_body_is_refused_and_nothing_pressed(
    http: httpx.AsyncClient, rig: FakeRig, body: dict[str, object]
) -> None:
    response = await http.post("/keys", json=body)
    assert response.status_code == 422
    assert set(response.json()["error"]) == {"code", "message", "hint"}
    assert rig.devices.keypad.calls == []


async def test_keys_unplugged_keypad_is_a_conflict(http: httpx.AsyncClient, rig: FakeRig) -> None:
    await http.post("/devices/keypad/unplug")
    response = await http.post("/keys", json={"keys": ["1"]})
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "unplugged"


async def test_keys_power_off_reach_nobody(http: httpx.AsyncClient, rig: FakeRig) -> None:
    await http.post("/power/cut")
    assert (await http.post("/keys", json={"keys": ["1"]})).status_code == 200
    assert rig.devices.keypad.calls == []


async def test_scan_sends_symbology_data_suffix_and_chunks(http: httpx.AsyncClient, rig: FakeRig) -> None:
    body = {"data": "99", "suffix": "\r\n", "chunks": [1], "symbology": "]C1"}
    assert (await http.post("/scan", json=body)).status_code == 200
    assert rig.devices.scanner.calls == [("send", b"]C199", b"\r\n", [1])]


async def test_scan_hex_sends_the_bytes_as_they_are(http: httpx.AsyncClient, rig: FakeRig) -> None:
    assert (await http.post("/scan", json={"hex": "00ff0d", "suffix": ""})).status_code == 200
    assert rig.devices.scanner.calls == [("send", b"\x00\xff\r", b"", None)]


@pytest.mark.parametrize(
    "body",
    [{}, {"data": "1", "hex": "31"}, {"hex": "0"}, {"hex": "zz"}, {"data": "1", "symbology": "C1"}, {"data": 1}],
)
async def test_scan_bad_body_is_refused_and_nothing_sent(
    http: httpx.AsyncClient, rig: FakeRig, body: dict[str, object]
) -> None:
    assert (await http.post("/scan", json=body)).status_code == 422
    assert rig.devices.scanner.calls == []


async def test_scan_huge_body_is_refused(http: httpx.AsyncClient) -> None:
    response = await http.post("/scan", content=b'{"data": "' + b"1" * 70_000 + b'"}')
    assert response.status_code == 413


async def test_slips_carry_text_codes_cut_and_copy_mark(http: httpx.AsyncClient, rig: FakeRig) -> None:
    rig.print_slip("退款申请", request_id=REQUEST_ID)
    rig.print_slip("退款申请", "重打印凭证 COPY 1", request_id=REQUEST_ID)
    first, second = (await http.get("/slips")).json()["slips"]
    assert first["codes"] == [{"symbology": "CODE128", "data": REQUEST_ID}]
    assert (first["cut"], first["is_copy"], second["is_copy"]) == ("partial", False, True)
    assert (await http.get("/slips/2")).json() == second


async def test_slips_since_waits_for_the_next_slip(http: httpx.AsyncClient, rig: FakeRig) -> None:
    seq = (await http.get("/slips")).json()["slip_seq"]
    waiting = asyncio.create_task(http.get("/slips", params={"since": seq, "wait_s": 10}))
    await asyncio.sleep(0)
    rig.show("a screen is no slip")
    rig.print_slip("退款申请")
    assert len((await waiting).json()["slips"]) == 1


async def test_slip_png_is_the_picture(http: httpx.AsyncClient, rig: FakeRig) -> None:
    rig.print_slip("退款申请")
    response = await http.get("/slips/1.png")
    assert response.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(response.content)) as picture:
        assert picture.width == 576


async def test_slip_unknown_is_not_found(http: httpx.AsyncClient) -> None:
    response = await http.get("/slips/7")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "no_slip")


async def test_info_names_operators_and_back_office(http: httpx.AsyncClient, rig: FakeRig) -> None:
    from hil.rig.backoffice import WebUser

    rig.back_office.users = (WebUser("finance", "secret", "approver"),)
    info = (await http.get("/info")).json()
    assert info["operator"] == {"no": "01", "name": "王芳", "pin": "2580"}
    assert info["backoffice"] == {"url": rig.back_office.url, "user": "finance", "password": "secret"}
    assert (info["terminal_id"], info["paper_dots"]) == ("t-demo-01", 576)


async def test_state_follows_the_status(http: httpx.AsyncClient, rig: FakeRig) -> None:
    rig.daemon.next_status = status_at("CONFIRM")
    assert (await http.get("/state")).json()["workflow_state"] == "CONFIRM"


async def test_scanner_is_chosen_and_shown_in_the_state(http: httpx.AsyncClient) -> None:
    assert (await http.get("/state")).json()["scanner"] == "plain"
    assert (await http.post("/scanner", json={"kind": "ssi"})).json() == {"kind": "ssi"}
    assert (await http.get("/state")).json()["scanner"] == "ssi"
    assert (await http.post("/scanner", json={"kind": "laser"})).status_code == 422


async def test_picture_goes_before_a_camera_and_nothing_else(http: httpx.AsyncClient, rig: FakeRig) -> None:
    refused = await http.post("/camera", content=b"jpeg")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "no_camera")
    await http.post("/scanner", json={"kind": "camera"})
    assert (await http.post("/camera", content=b"jpeg")).json() == {"screen_seq": rig.changes.screen_seq}
    assert (await http.post("/camera", content=b"")).json()["error"]["code"] == "no_picture"
    assert rig.devices.scanner.calls == [("show_picture", b"jpeg")]
    rig.daemon.is_powered = False
    await http.post("/camera", content=b"dark")
    assert len(rig.devices.scanner.calls) == 1, "a till without power sees nothing"
