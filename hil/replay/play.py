"""Does an incident again to a running bench, and says where its till goes another way than the recorded one."""

import time
from typing import Final

import httpx

from hil.bench.client import BenchClient, BenchError, ScreenTimeoutError
from hil.replay.incident import KEYS, Act, Record
from hil.replay.stand_ins import Fields, code_of

#: The bench's network, paper and back office take their own time.
_SETTLE_S: Final = 6.0
_PRINTER_FAULTS: Final = {
    "EPTR_REC_EMPTY": "paper_end",
    "EPTR_REC_NEAR_END": "near_end",
    "EPTR_COVER_OPEN": "cover_open",
    "EPTR_CUTTER": "cutter_jam",
}
_GONE: Final = ("E_NOHARDWARE", "E_OFFLINE")
_PIN_STATES: Final = ("LOGIN", "SUPERVISOR")
_READ_ONLY: Final = ("operator_display", "customer_display")


def play_incident(acts: list[Act], api: str, *, speed: float, longest_pause_s: float) -> bool:
    """Play; prints a line for each input; returns whether the bench's till did the same throughout.

    Args:
        acts: Of `hil.replay.incident.read`.
        api: Of the bench.
        speed: How many times faster than it happened.
        longest_pause_s: Longer pauses between two inputs are cut to this, unless a time-out of the till ended them.
    """
    with BenchClient(api) as client:
        player = _Player(client, acts)
        began_s, different = acts[0].record["at_s"], 0
        for act in acts:
            try:
                found = player.do(act, pause_s=_pause(act, speed, longest_pause_s))
            except (BenchError, ScreenTimeoutError, httpx.HTTPError) as error:
                found = f"trouble of its own: {error}"
            is_same = found == act.after
            different += not is_same
            verdict = "" if is_same else f"  DIFFERS: the bench is in {found}"
            print(f"{act.record['at_s'] - began_s:9.3f} s  {_words(act)} --> {act.after}{verdict}", flush=True)
        print(f"{len(acts)} inputs played on the bench, {different} differ", flush=True)
    return different == 0


def _pause(act: Act, speed: float, longest_s: float) -> float:
    return min(act.pause_s / speed, longest_s)


def _words(act: Act) -> str:
    code = act.data.get("code") or {}
    what = act.data.get("key", "") or code.get("kind", "")
    return f"{act.record.get('before', 'scanner')} {act.trigger} {what}".rstrip()


class _Player:
    def __init__(self, client: BenchClient, acts: list[Act]) -> None:
        self._client = client
        self._acts = acts
        self._sales = client.sales()
        self._fields = Fields(client.info())
        self._devices: dict[str, str] = {}
        self._faults: dict[str, str] = {}
        self._is_connected: bool | None = None
        self._is_present: bool | None = None

    def do(self, act: Act, *, pause_s: float) -> str:
        """Do one input and what happened to cables behind it; return the state that the bench comes to."""
        time.sleep(pause_s)
        if act.trigger == "begin":
            if act.after == "MENU":
                self._client.sign_in()
        elif act.trigger == "garbled":
            self._client.fault("garbage", "scanner")
        elif act.trigger == "scan":
            self._client.scan(code_of(act, self._sales))
        else:
            self._press(act)
        for own in act.own:
            self._world(own["data"]["facts"])
        return self._settled(act)

    def _press(self, act: Act) -> None:
        if act.trigger == "enter":
            self._client.enter()
        elif act.trigger != "digit":
            self._client.keys(KEYS[act.trigger])
        elif act.record["before"] in _PIN_STATES:
            self._client.keys(self._fields.key(act, self._coming_check(act)))
        else:
            self._client.keys(str(act.data["key"]))
        self._fields.pressed(act.trigger, after=str(act.record["after"]))

    def _coming_check(self, act: Act) -> Record:
        """Return how the PIN under way was checked."""
        later = self._acts[self._acts.index(act) :]
        checks = (one.own_data("pin_checked", "pin") for one in later)
        return next((check for check in checks if check), {})

    def _world(self, facts: Record) -> None:
        """Do to cables, paper and network what the recorded till saw of them."""
        for device, code in facts.get("devices", {}).items():
            if self._devices.get(device, "") != code and device not in _READ_ONLY:
                self._devices[device] = code
                self._device(device, code)
        self._is_connected = self._network(self._is_connected, facts.get("is_broker_connected", False), "broker")
        if self._is_connected:
            is_present = facts.get("is_back_office_present", False)
            self._is_present = self._network(self._is_present, is_present, "back_office")

    def _device(self, device: str, code: str) -> None:
        if (fault := self._faults.pop(device, "")) and not code:
            self._client.clear_fault(fault)
        if code in _GONE:
            self._client.unplug(device)
            self._client.wait_device(device, is_online=False)
        elif not code:
            self._client.plug(device)
            self._client.wait_device(device, is_online=True)
        elif device == "printer" and code in _PRINTER_FAULTS:
            self._faults[device] = self._client.fault(_PRINTER_FAULTS[code])
        elif code == "stuck_key":
            self._faults[device] = self._client.fault("stuck_key")
        elif code == "keyboard_mode":
            self._client.fault("burst")

    def _network(self, was: bool | None, is_up: bool, name: str) -> bool | None:
        """Switch a part of the network; until it was up for the first time, the recorded till was only starting."""
        if was is None:
            return True if is_up else None
        if was != is_up:
            switch = self._client.broker if name == "broker" else self._client.back_office
            switch("up" if is_up else "down")
        return is_up

    def _settled(self, act: Act) -> str:
        """Return the recorded state as soon as the bench is in it, else the one in which it rests."""
        if not act.after:  # noise of the scanner, which the till took without a word
            return ""
        waited_s = max((own["at_s"] - act.record["at_s"] for own in act.own), default=0.0)
        try:
            self._client.wait_state(act.after, timeout_s=_SETTLE_S + waited_s)
        except ScreenTimeoutError:
            return str(self._client.state()["workflow_state"])
        return act.after
