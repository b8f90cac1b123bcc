"""D18: a device that cannot be built, such as a broken driver of another maker, never gives a black till."""

from pathlib import Path

import pytest

from pos_agent.app import safe
from pos_agent.app.compose import _devices
from pos_agent.app.inbox import Inbox
from pos_agent.domain.config import (
    BrokerConfig,
    Config,
    DevicesConfig,
    DisplayConfig,
    KeypadConfig,
    PrinterConfig,
    ScannerConfig,
    TerminalConfig,
    TrustConfig,
)
from pos_agent.settings import DataFinder

DATA = DataFinder(Path(__file__).parents[3] / "config")
GOOD = {
    "scanner": ScannerConfig(path="/dev/ttyACM0"),
    "printer": PrinterConfig(usb="04b8:0e28"),
    "keypad": KeypadConfig(path="usb:04d9:1203"),
    "operator_display": DisplayConfig(driver="framebuffer", path="/dev/fb0"),
    "customer_display": DisplayConfig(driver="led8", path="/dev/ttyUSB0"),
}
BAD = {
    "scanner": ScannerConfig(driver="acne"),
    "printer": PrinterConfig(driver="acne"),
    "keypad": KeypadConfig(driver="acne"),
    "operator_display": DisplayConfig(driver="acne"),
    "customer_display": DisplayConfig(driver="acne"),
}


def build(devices: DevicesConfig) -> tuple[set[str], str]:
    config = Config(
        terminal=TerminalConfig(terminal_id="t-safe", merchant_id="-", merchant_name="-"),
        broker=BrokerConfig(url="mqtts://localhost:8883"),
        trust=TrustConfig(device_key_file="/nonexistent", device_key_id="-", back_office_keys={}),
        devices=devices,
    )
    found, code = _devices(config, DATA, Inbox().put)
    return {str(device.name) for device in found}, code


def test_devices_that_can_all_be_built_are_no_fault() -> None:
    assert build(DevicesConfig(**GOOD)) == (set(GOOD), "")  # type: ignore[arg-type]


@pytest.mark.parametrize("role", sorted(BAD))
def test_one_device_that_cannot_be_built_leaves_the_screen_and_what_else_a_safe_till_needs(role: str) -> None:
    names, code = build(DevicesConfig(**{**GOOD, role: BAD[role]}))  # type: ignore[arg-type]
    assert code == safe.BAD_CONFIG
    assert "operator_display" in names
    assert names == {"operator_display", "keypad", "customer_display"} - ({role} - {"operator_display"})
