"""Cables, network, acquirer, power and clock over the bench API."""

import httpx
import pytest

from hil.rig.operator import random_pin
from tests.fakes.bench import FakeRig

REQUEST_ID = "9812345678901234567815"


async def test_fault_goes_on_with_its_parameters_and_off_by_id(http: httpx.AsyncClient, rig: FakeRig) -> None:
    response = await http.post("/faults", json={"kind": "paper_end", "params": {"after_mm": 5}})
    fault = response.json()
    assert response.status_code == 201
    assert (await http.get("/faults")).json()["faults"] == [fault]
    assert (await http.delete(f"/faults/{fault['id']}")).status_code == 200
    assert (await http.get("/faults")).json()["faults"] == []
    expected = [("set_fault", "paper_end", 5), ("clear_fault", "paper_end"), ("refill",)]
    assert rig.devices.printer.calls == expected


async def test_fault_twice_is_one_fault(http: httpx.AsyncClient, rig: FakeRig) -> None:
    first = (await http.post("/faults", json={"kind": "cover_open"})).json()
    assert (await http.post("/faults", json={"kind": "cover_open"})).json() == first
    assert len(rig.devices.printer.calls) == 1


async def test_fault_stuck_key_holds_the_key_until_cleared(http: httpx.AsyncClient, rig: FakeRig) -> None:
    fault = (await http.post("/faults", json={"kind": "stuck_key", "params": {"key": "7"}})).json()
    await http.delete(f"/faults/{fault['id']}")
    assert rig.devices.keypad.calls == [("stick", "7"), ("release", "7")]


async def test_fault_half_frame_is_momentary(http: httpx.AsyncClient, rig: FakeRig) -> None:
    await http.post("/faults", json={"kind": "half_frame"})
    assert rig.devices.scanner.calls == [("send", b"69012345", b"", None)]
    assert (await http.get("/faults")).json()["faults"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "meteor"},
        {"kind": "paper_end", "device": "scanner"},
        {"kind": "paper_end", "params": {"colour": "red"}},
    ],
)
async def test_fault_unknown_is_refused_with_what_there_is(http: httpx.AsyncClient, body: dict[str, object]) -> None:
    response = await http.post("/faults", json=body)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "unknown_fault"
    assert (await http.get("/faults")).json()["faults"] == []


async def test_fault_unknown_id_is_not_found(http: httpx.AsyncClient) -> None:
    assert (await http.delete("/faults/f99")).status_code == 404


async def test_device_unplug_and_plug_change_what_is_plugged(http: httpx.AsyncClient, rig: FakeRig) -> None:
    assert (await http.post("/devices/scanner/unplug")).json() == {"device": "scanner", "plugged": False}
    assert (await http.get("/state")).json()["unplugged"] == ["scanner"]
    assert (await http.post("/devices/scanner/plug")).json() == {"device": "scanner", "plugged": True}


@pytest.mark.parametrize("path", ["/devices/drawer/unplug", "/devices/scanner/kick", "/broker/burn", "/backoffice/x"])
async def test_unknown_name_or_verb_is_not_found_with_hint(http: httpx.AsyncClient, path: str) -> None:
    response = await http.post(path)
    assert response.status_code == 404
    assert response.json()["error"]["hint"]


@pytest.mark.parametrize(
    ("path", "name", "mode"),
    [
        ("/broker/down", "broker", "down"),
        ("/broker/stall", "broker", "stalled"),
        ("/broker/up", "broker", "up"),
        ("/backoffice/down", "back_office", "down"),
        ("/backoffice/slow", "back_office", "slow"),
        ("/backoffice/up", "back_office", "up"),
    ],
)
async def test_network_verb_shows_in_the_state(http: httpx.AsyncClient, path: str, name: str, mode: str) -> None:
    assert (await http.post(path)).json() == {name: mode}
    assert (await http.get("/state")).json()[name] == mode


async def test_acquirer_answers_are_queued(http: httpx.AsyncClient, rig: FakeRig) -> None:
    answers = ["processing", "failed:NOT_ENOUGH", "timeout:lost"]
    assert (await http.post("/acquirer", json={"next": answers})).status_code == 200
    assert rig.acquirer.calls == [("control", answers, False)]


async def test_acquirer_unknown_answer_is_refused(http: httpx.AsyncClient, rig: FakeRig) -> None:
    assert (await http.post("/acquirer", json={"next": ["maybe"]})).status_code == 422
    assert rig.acquirer.calls == []


async def test_decide_goes_to_the_back_office(http: httpx.AsyncClient, rig: FakeRig) -> None:
    body = {"refund_request_id": REQUEST_ID, "decision": "reject", "reason": "单据不符", "user": "manager"}
    assert (await http.post("/backoffice/decide", json=body)).json() == {"state": "approved"}
    assert rig.back_office.calls == [("decide", REQUEST_ID, "reject", "单据不符", "manager")]


@pytest.mark.parametrize(
    "body",
    [
        {"refund_request_id": REQUEST_ID, "decision": "reject"},
        {"refund_request_id": "98", "decision": "approve"},
        {"refund_request_id": REQUEST_ID, "decision": "burn"},
    ],
)
async def test_decide_bad_body_decides_nothing(http: httpx.AsyncClient, rig: FakeRig, body: dict[str, object]) -> None:
    assert (await http.post("/backoffice/decide", json=body)).status_code == 422
    assert rig.back_office.calls == []


async def test_requests_and_movements_come_from_their_owners(http: httpx.AsyncClient) -> None:
    assert (await http.get("/backoffice/requests")).json()["requests"][0]["state"] == "reviewing"
    assert (await http.get("/acquirer/movements")).json()["movements"][0]["amount_minor"] == 100


async def test_clock_without_faketime_says_what_to_install(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hil.bench.calls_world.find_faketime", lambda: None)
    response = await http.post("/clock", json={"skew_s": 60})
    assert response.status_code == 501
    assert "libfaketime" in response.json()["error"]["hint"]


async def test_clock_skew_reaches_the_till(
    http: httpx.AsyncClient, rig: FakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hil.bench.calls_world.find_faketime", lambda: "/lib/faketime.so")
    assert (await http.post("/clock", json={"skew_s": -60})).json() == {"skew_s": -60, "restarted": True}
    assert (await http.get("/state")).json()["clock_skew_s"] == -60


async def test_reset_takes_no_fields_and_resets_once(http: httpx.AsyncClient, rig: FakeRig) -> None:
    assert (await http.post("/reset", json={"hard": True})).status_code == 422
    assert (await http.post("/reset")).status_code == 200
    assert rig.reset_count == 1


def test_random_pin_is_never_one_that_everybody_knows() -> None:
    for _ in range(500):
        pin = random_pin()
        assert len(pin) == 4
        assert len(set(pin)) == 4
        assert pin not in "0123456789"
        assert pin not in "9876543210"
